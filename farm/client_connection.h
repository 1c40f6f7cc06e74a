// A client's connection to a tracker, which is dialled anew whenever the tracker has been away. Brings gRPC: for this
// folder's .cc files only.
#pragma once

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/status.h"
#include "proto/dial.h"
#include "proto/farm.grpc.pb.h"
#include "proto/grpc_status.h"

namespace tilth {

inline constexpr int64_t kCallTimeoutMs = 30'000;
inline constexpr int64_t kFirstBackoffMs = 20, kLongestBackoffMs = 1'000;

// A failure that may have gone when the call is made again.
bool Passing(const Status& status);

void SetDeadline(grpc::ClientContext& context, int64_t timeout_ms);

// Thread-safe.
class ClientConnection {
 public:
  // `in_the_clear`: whatever identity the user has.
  ClientConnection(std::string address, bool in_the_clear)
      : address_(std::move(address)), in_the_clear_(in_the_clear) {}

  // Fails if the user's identity cannot be used.
  Status Dial();

  // Of the newest connection, null before the first Dial; a call in flight keeps its own alive.
  std::shared_ptr<proto::Farm::Stub> stub() const;

  // Makes `call`, again and again with back-off and a fresh connection, until it is something other than a passing
  // failure, the time is over, or waiting would not help (ExplainRefusedConnection).
  template <typename Call>
  Status Retry(int64_t timeout_ms, Call call);

 private:
  Identity identity() const;

  const std::string address_;
  const bool in_the_clear_;
  mutable std::mutex mutex_;
  Identity identity_;
  std::shared_ptr<proto::Farm::Stub> stub_;
};

template <typename Call>
Status ClientConnection::Retry(int64_t timeout_ms, Call call) {
  const int64_t deadline_ns = SystemClock().NowNs() + timeout_ms * 1'000'000;
  for (int64_t backoff_ms = kFirstBackoffMs;; backoff_ms = std::min(2 * backoff_ms, kLongestBackoffMs)) {
    const Status status = call();
    if (!Passing(status)) return status;
    const int64_t left_ms = (deadline_ns - SystemClock().NowNs()) / 1'000'000;
    if (absl::IsUnavailable(status)) {
      TILTH_RETURN_IF_ERROR(ExplainRefusedConnection(address_, identity(), status));
    }
    if (left_ms <= 0) return status;
    TILTH_RETURN_IF_ERROR(Dial());
    std::this_thread::sleep_for(std::chrono::milliseconds(std::min(backoff_ms, left_ms)));
  }
}

}  // namespace tilth
