#include "proto/names.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "base/status.h"
#include "base/utf8.h"

namespace tilth {
namespace {

constexpr size_t kMaxPrinted = 100;

bool IsControl(unsigned char c) { return c < ' ' || c == 0x7f; }

}  // namespace

std::string NameFault(std::string_view name, size_t max_bytes) {
  if (name.size() > max_bytes) return StrCat("has ", name.size(), " bytes, at most ", max_bytes, " are allowed");
  if (std::any_of(name.begin(), name.end(), IsControl)) return StrCat("'", Printable(name), "' has control characters");
  if (ValidUtf8(name) != name) return StrCat("'", Printable(name), "' is not valid UTF-8 text");
  return "";
}

bool IsPlainName(std::string_view name) {
  constexpr size_t kLongestName = 64;
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || std::string_view("._@+-").find(c) != std::string::npos;
  });
  return plain && !name.empty() && name.size() <= kLongestName && name[0] != '-';
}

std::string CheckNameArgument(const std::string& name) { return name.empty() ? "it is empty" : NameFault(name); }

std::string CheckPlainNameArgument(const std::string& name) {
  if (IsPlainName(name)) return "";
  return StrCat("'", Printable(name),
                "' cannot be such a name: 1 to 64 letters, digits and the characters . _ @ + -, not begun by -");
}

std::string Printable(std::string_view text) {
  return absl::CHexEscape(absl::string_view(text.data(), std::min(text.size(), kMaxPrinted))).substr(0, kMaxPrinted);
}

}  // namespace tilth
