// Between absl::Status and grpc::Status, whose codes are the same numbers.
#pragma once

#include <grpcpp/support/status.h>

#include <string>

#include "absl/strings/cord.h"
#include "base/status.h"

namespace tilth {

// Goes along with every error of ours, so that the caller can tell it from one that gRPC made up because of the
// connection or of what it could not read.
inline constexpr char kSaidByPeer[] = "tilth: said by the peer";

inline grpc::Status ToGrpc(const Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), std::string(ToStd(status.message())), kSaidByPeer);
}

// gRPC has no words for a message that it could not read.
inline Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  const auto code = static_cast<absl::StatusCode>(status.error_code());
  Status from(code, status.error_message().empty()
                        ? StrCat("the call has failed without a reason (", absl::StatusCodeToString(code),
                                 "): one side could not read what the other sent")
                        : status.error_message());
  if (status.error_details() == kSaidByPeer) from.SetPayload(kSaidByPeer, absl::Cord());
  return from;
}

// Whether it came from FromGrpc, and in the peer's own words.
inline bool SaidByPeer(const Status& status) { return status.GetPayload(kSaidByPeer).has_value(); }

// What either side says to a peer of another protocol version.
inline Status ProtocolMismatch(std::string_view peer, int theirs, int ours) {
  return absl::FailedPreconditionError(StrCat("this ", peer, " speaks farm protocol version ", ours,
                                              ", the caller speaks version ", theirs,
                                              "; run the same release of Tilth on both sides"));
}

}  // namespace tilth
