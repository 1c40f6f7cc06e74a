#include "rpc_agent/tracker_stream.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <set>
#include <thread>

#include "base/clock.h"
#include "base/files.h"
#include "proto/certificate.h"
#include "proto/dial.h"
#include "proto/farm.grpc.pb.h"
#include "proto/grpc_status.h"
#include "proto/join.h"

namespace tilth {
namespace {

constexpr int kDefaultHeartbeatMs = 2'000;
constexpr std::chrono::seconds kBlobTimeout{30};
// A renewal that has failed is tried again after this part of the certificate's lifetime.
constexpr int64_t kRenewalAttempts = 50;

StatusOr<Identity> FindAgentIdentity(const std::string& address, const std::string& directory) {
  StatusOr<Identity> identity = LoadFreshIdentity(address, directory);
  if (identity.ok() || !absl::IsNotFound(identity.status())) return identity;
  if (IsLoopback(address) || ClearTextAllowed()) return Identity{};
  return absl::FailedPreconditionError(
      StrCat("this device has not joined the farm at ", address,
             ": get a token (`tilth farm enroll --class CLASS`) and use it (`tilth-agent join ", address,
             " --token TOKEN`); for a tracker in the clear on a network that you trust, set TILTH_INSECURE=1"));
}

}  // namespace

class TrackerStream::Impl {
 public:
  Impl(const std::string& address, const std::string& identity_directory)
      : address_(address), identity_directory_(identity_directory) {}

  Status Converse(const proto::AgentHello& hello, const std::function<void(const proto::TrackerMessage&)>& on_message,
                  const std::function<std::vector<proto::Lease>()>& holding) {
    TILTH_ASSIGN_OR_RETURN(const Identity identity, FindAgentIdentity(address_, identity_directory_));
    TILTH_ASSIGN_OR_RETURN(const int64_t renew_at_s, NextRenewal(identity));
    grpc::ClientContext context;
    {
      std::lock_guard lock(mutex_);
      if (stopped_) return absl::CancelledError("stopped");
      context_ = &context;
      renew_at_s_ = renew_at_s;
      stub_ = proto::Agents::NewStub(DialTracker(address_, identity));
    }
    auto stream = Stub()->Attach(&context);
    proto::AgentMessage first;
    *first.mutable_hello() = hello;
    stream->Write(first);
    proto::TrackerMessage message;
    std::thread heart;
    while (stream->Read(&message)) {
      if (message.has_welcome() && !heart.joinable()) {
        Open(stream.get());
        const int every_ms = message.welcome().heartbeat_ms();
        heart = std::thread([this, every_ms, &holding] { Beat(every_ms, holding); });
      }
      on_message(message);
    }
    Open(nullptr);
    {
      std::lock_guard lock(mutex_);
      context_ = nullptr;
    }
    wake_.notify_all();
    if (heart.joinable()) heart.join();
    const Status ended = FromGrpc(stream->Finish());
    {
      std::lock_guard lock(mutex_);
      if (stopped_) return absl::CancelledError("stopped");
      if (renewing_) {
        renewing_ = false;
        return absl::OkStatus();
      }
    }
    if (absl::IsUnavailable(ended)) TILTH_RETURN_IF_ERROR(ExplainRefusedConnection(address_, identity, ended));
    return ended.ok() ? absl::UnavailableError("the tracker has closed the connection") : ended;
  }

  void Send(const proto::AgentMessage& message) {
    std::lock_guard lock(write_mutex_);
    if (stream_ != nullptr) stream_->Write(message);
  }

  StatusOr<proto::Blob> FetchBlob(const std::string& hash) {
    proto::GetBlobRequest request;
    request.set_hash(hash);
    proto::GetBlobReply reply;
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kBlobTimeout);
    context.set_wait_for_ready(true);
    std::shared_ptr<proto::Agents::Stub> stub;
    {
      std::lock_guard lock(mutex_);
      if (stopped_) return absl::CancelledError("stopped");
      stub = stub_;
      fetching_.insert(&context);
    }
    const Status fetched = stub != nullptr ? FromGrpc(stub->GetBlob(&context, request, &reply))
                                           : absl::UnavailableError("there has been no connection to the tracker yet");
    {
      std::lock_guard lock(mutex_);
      fetching_.erase(&context);
    }
    TILTH_RETURN_IF_ERROR(fetched, "fetching a blob");
    return std::move(*reply.mutable_blob());
  }

  void Stop() {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    if (context_ != nullptr) context_->TryCancel();
    for (grpc::ClientContext* context : fetching_) context->TryCancel();
  }

 private:
  // Seconds since 1970; the end of time for a connection in the clear.
  static StatusOr<int64_t> NextRenewal(const Identity& identity) {
    if (identity.Empty()) return std::numeric_limits<int64_t>::max();
    TILTH_ASSIGN_OR_RETURN(const CertificateInfo info, ReadCertificate(identity.certificate_pem));
    const int64_t lifetime_s = info.not_after_s - info.not_before_s;
    const int64_t due_s = info.not_before_s + (2 * lifetime_s + 2) / 3;
    return std::max(due_s, NowSeconds() + lifetime_s / kRenewalAttempts + 1);
  }
  static int64_t NowSeconds() { return SystemClock().WallMs() / 1000; }

  std::shared_ptr<proto::Agents::Stub> Stub() {
    std::lock_guard lock(mutex_);
    return stub_;
  }

  // From now on messages go there; nullptr: nowhere.
  void Open(grpc::ClientReaderWriterInterface<proto::AgentMessage, proto::TrackerMessage>* stream) {
    {
      std::lock_guard lock(mutex_);
      open_ = stream != nullptr;
    }
    std::lock_guard lock(write_mutex_);
    stream_ = stream;
  }

  void Beat(int every_ms, const std::function<std::vector<proto::Lease>()>& holding) {
    const std::chrono::milliseconds interval(every_ms > 0 ? every_ms : kDefaultHeartbeatMs);
    std::unique_lock lock(mutex_);
    while (!wake_.wait_for(lock, interval, [this] { return !open_; })) {
      lock.unlock();
      proto::AgentMessage message;
      message.mutable_heartbeat();
      for (proto::Lease& lease : holding()) *message.mutable_heartbeat()->add_holding() = std::move(lease);
      Send(message);
      lock.lock();
      if (NowSeconds() >= renew_at_s_ && context_ != nullptr) {
        renewing_ = true;
        context_->TryCancel();
        return;
      }
    }
  }

  const std::string address_, identity_directory_;
  std::mutex mutex_;
  std::shared_ptr<proto::Agents::Stub> stub_;  // of the present connection; a call in flight keeps its own alive
  std::condition_variable wake_;
  bool stopped_ = false;
  bool open_ = false;                       // there is a stream_
  bool renewing_ = false;                   // the conversation has been ended for that
  int64_t renew_at_s_ = 0;                  // of the present connection
  grpc::ClientContext* context_ = nullptr;  // while conversing
  std::set<grpc::ClientContext*> fetching_;

  // Apart, because a tracker that does not read lets writers wait, and Stop must not.
  std::mutex write_mutex_;
  grpc::ClientReaderWriterInterface<proto::AgentMessage, proto::TrackerMessage>* stream_ = nullptr;  // once welcome
};

TrackerStream::TrackerStream(const std::string& address, const std::string& identity_directory)
    : impl_(std::make_unique<Impl>(address, identity_directory)) {}
TrackerStream::~TrackerStream() = default;

Status TrackerStream::Converse(const proto::AgentHello& hello,
                               const std::function<void(const proto::TrackerMessage&)>& on_message,
                               const std::function<std::vector<proto::Lease>()>& holding) {
  return impl_->Converse(hello, on_message, holding);
}
void TrackerStream::Send(const proto::AgentMessage& message) { impl_->Send(message); }
StatusOr<proto::Blob> TrackerStream::FetchBlob(const std::string& hash) { return impl_->FetchBlob(hash); }
void TrackerStream::Stop() { impl_->Stop(); }

}  // namespace tilth
