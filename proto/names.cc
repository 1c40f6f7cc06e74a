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

bool MeansDevice(std::string_view text, std::string_view host_name, std::string_view agent_id) {
  if (text == host_name) return true;
  if (text.size() > host_name.size() && text.starts_with(host_name) && text[host_name.size()] == '/') {
    text.remove_prefix(host_name.size() + 1);
  }
  return !text.empty() && agent_id.starts_with(text);
}

std::string Printable(std::string_view text) {
  return absl::CHexEscape(absl::string_view(text.data(), std::min(text.size(), kMaxPrinted))).substr(0, kMaxPrinted);
}

}  // namespace tilth
