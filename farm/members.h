// What administrators ask a tracker about the farm's members. Errors as of operations: kUnavailable if nobody answers,
// kPermissionDenied without the role.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"
#include "farm/enrolment.h"

namespace tilth {

struct RequestedToken {
  NewToken token;
  std::string tracker_name;  // the host to dial, if the farm was told when it was initialised
};

StatusOr<RequestedToken> RequestToken(const std::string& address, const TokenTerms& terms, int64_t timeout_ms = 3'000);

// How many valid certificates there were of this name or serial number.
StatusOr<int> RevokeMember(const std::string& address, const std::string& name_or_serial, int64_t timeout_ms = 3'000);

}  // namespace tilth
