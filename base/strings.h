// Concatenation that takes std::string_view. Debian builds Abseil with a string_view type of its own, which
// absl::StrCat takes and std::string_view does not convert to; `StrCat` and `StrAppend` of this namespace take both.
#pragma once

#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace tilth {

inline absl::string_view ToAbsl(std::string_view text) { return absl::string_view(text.data(), text.size()); }
inline std::string_view ToStd(absl::string_view text) { return std::string_view(text.data(), text.size()); }

namespace internal {
template <typename T>
const T& StrCatArgument(const T& value) {
  return value;
}
inline absl::string_view StrCatArgument(const std::string_view& text) { return ToAbsl(text); }
}  // namespace internal

// The arguments as text, one after another: texts and numbers, as absl::StrCat.
template <typename... Args>
[[nodiscard]] std::string StrCat(const Args&... args) {
  return absl::StrCat(internal::StrCatArgument(args)...);
}

template <typename... Args>
void StrAppend(std::string* text, const Args&... args) {
  absl::StrAppend(text, internal::StrCatArgument(args)...);
}

}  // namespace tilth
