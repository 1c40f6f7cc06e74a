// Between absl::Status and grpc::Status, whose codes are the same numbers.
#pragma once

#include <grpcpp/support/status.h>

#include <string>

#include "base/status.h"

namespace tilth {

inline grpc::Status ToGrpc(const Status& status) {
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), std::string(ToStd(status.message())));
}

inline Status FromGrpc(const grpc::Status& status) {
  return Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

// What either side says to a peer of another protocol version.
inline Status ProtocolMismatch(std::string_view peer, int theirs, int ours) {
  return absl::FailedPreconditionError(StrCat("this ", peer, " speaks farm protocol version ", ours,
                                              ", the caller speaks version ", theirs,
                                              "; run the same release of Tilth on both sides"));
}

}  // namespace tilth
