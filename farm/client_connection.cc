// Dialling (client_connection.h).
#include "farm/client_connection.h"

#include <utility>

#include "proto/join.h"

namespace tilth {

bool Passing(const Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) || absl::IsCancelled(status);
}

void SetDeadline(grpc::ClientContext& context, int64_t timeout_ms) {
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(timeout_ms));
}

Status ClientConnection::Dial() {
  Identity identity;
  if (!in_the_clear_) {
    TILTH_ASSIGN_OR_RETURN(identity, FindFreshIdentity(address_));
  }
  auto stub = proto::Farm::NewStub(DialTracker(address_, identity));
  std::lock_guard lock(mutex_);
  stub_ = std::move(stub);
  identity_ = identity;
  return absl::OkStatus();
}

std::shared_ptr<proto::Farm::Stub> ClientConnection::stub() const {
  std::lock_guard lock(mutex_);
  return stub_;
}

Identity ClientConnection::identity() const {
  std::lock_guard lock(mutex_);
  return identity_;
}

}  // namespace tilth
