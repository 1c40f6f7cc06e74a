#include "base/json_nesting.h"

namespace tilth {
namespace {

constexpr int kMostNesting = 100;

}  // namespace

Status CheckJsonNesting(std::string_view json) {
  int depth = 0;
  bool in_text = false;
  for (size_t at = 0; at < json.size(); ++at) {
    const char c = json[at];
    if (c == '"') in_text = !in_text;
    if (in_text) {
      if (c == '\\') ++at;
    } else if (c == '[' || c == '{') {
      if (++depth > kMostNesting) {
        return absl::InvalidArgumentError(
            StrCat("JSON nested more than ", kMostNesting, " deep at byte ", at + 1, ": nothing that is read here is"));
      }
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return absl::OkStatus();
}

}  // namespace tilth
