// Infrastructure errors: absl::Status with a chain of causes. A caller adds what it was doing, outermost first:
// "building task 7 (conv2d 64x56x56): linking: …". Bugs of ours are TILTH_CHECKs; bad input is always a Status.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"
#include "base/strings.h"

namespace tilth {

using absl::Status;
using absl::StatusOr;

// The same status with "context: " before its message; OK stays OK.
inline Status Annotate(const Status& status, std::string_view context) {
  if (status.ok()) return status;
  return Status(status.code(), StrCat(context, ": ", status.message()));
}

// Prints where and why, then aborts. For states that only a bug of ours can produce.
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition);

}  // namespace tilth

#define TILTH_CHECK(condition) \
  (static_cast<bool>(condition) ? (void)0 : ::tilth::CheckFailed(__FILE__, __LINE__, #condition))

#define TILTH_CONCAT_INNER(a, b) a##b
#define TILTH_CONCAT(a, b) TILTH_CONCAT_INNER(a, b)

// TILTH_RETURN_IF_ERROR(expr) or TILTH_RETURN_IF_ERROR(expr, context text…): returns the failed status, annotated.
#define TILTH_RETURN_IF_ERROR(expr, ...)                                                                \
  do {                                                                                                  \
    if (::tilth::Status tilth_status = (expr); !tilth_status.ok())                                      \
      return ::tilth::internal::MaybeAnnotate(tilth_status __VA_OPT__(, ::tilth::StrCat(__VA_ARGS__))); \
  } while (false)

// TILTH_ASSIGN_OR_RETURN(auto x, expr) or with context text after it.
#define TILTH_ASSIGN_OR_RETURN(lhs, expr, ...) \
  TILTH_ASSIGN_OR_RETURN_INNER(TILTH_CONCAT(tilth_or_, __LINE__), lhs, expr __VA_OPT__(, ) __VA_ARGS__)
#define TILTH_ASSIGN_OR_RETURN_INNER(tmp, lhs, expr, ...)                                                          \
  auto tmp = (expr);                                                                                               \
  if (!tmp.ok()) return ::tilth::internal::MaybeAnnotate(tmp.status() __VA_OPT__(, ::tilth::StrCat(__VA_ARGS__))); \
  lhs = std::move(tmp).value()

namespace tilth::internal {
inline Status MaybeAnnotate(const Status& status) { return status; }
inline Status MaybeAnnotate(const Status& status, std::string_view context) { return Annotate(status, context); }
}  // namespace tilth::internal
