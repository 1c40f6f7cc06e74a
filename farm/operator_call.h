// One call of an operator's to a tracker's service Operations. Brings gRPC: for this folder's .cc files only.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <string>

#include "base/status.h"
#include "proto/dial.h"
#include "proto/farm.grpc.pb.h"
#include "proto/grpc_status.h"
#include "proto/join.h"

namespace tilth {

// Waits for a tracker to answer at all until the time-out, as one that is being restarted will. kUnavailable if none
// does, or the one that does cannot work; kFailedPrecondition if waiting would not help (dial.h); what the tracker
// answers otherwise.
template <typename Request, typename Reply>
Status CallOperations(const std::string& address, int64_t timeout_ms,
                      grpc::Status (proto::Operations::Stub::*method)(grpc::ClientContext*, const Request&, Reply*),
                      const Request& request, Reply* reply, bool in_the_clear = false) {
  Identity identity;
  if (!in_the_clear) {
    TILTH_ASSIGN_OR_RETURN(identity, FindFreshIdentity(address));
  }
  const auto stub = proto::Operations::NewStub(DialTracker(address, identity));
  const auto deadline = std::chrono::system_clock::now() + std::chrono::milliseconds(timeout_ms);
  Status status;
  for (const bool patiently : {false, true}) {
    grpc::ClientContext context;
    context.set_deadline(deadline);
    context.set_wait_for_ready(patiently);
    status = FromGrpc((stub.get()->*method)(&context, request, reply));
    if (!absl::IsUnavailable(status) && !absl::IsDeadlineExceeded(status)) return status;
    if (!patiently) TILTH_RETURN_IF_ERROR(ExplainRefusedConnection(address, identity, status));
  }
  return GiveUpOnTracker(address, status);
}

}  // namespace tilth
