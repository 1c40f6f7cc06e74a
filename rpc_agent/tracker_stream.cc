#include "rpc_agent/tracker_stream.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "proto/dial.h"
#include "proto/farm.grpc.pb.h"
#include "proto/grpc_status.h"

namespace tilth {
namespace {

constexpr int kDefaultHeartbeatMs = 2'000;
constexpr std::chrono::seconds kBlobTimeout{30};

}  // namespace

class TrackerStream::Impl {
 public:
  explicit Impl(const std::string& address) : address_(address), stub_(Dial()) {}

  Status Converse(const proto::AgentHello& hello, const std::function<void(const proto::TrackerMessage&)>& on_message,
                  const std::function<std::vector<proto::Lease>()>& holding) {
    grpc::ClientContext context;
    {
      std::lock_guard lock(mutex_);
      if (stopped_) return absl::CancelledError("stopped");
      context_ = &context;
      stub_ = Dial();
    }
    auto stream = Stub()->Attach(&context);
    proto::AgentMessage first;
    *first.mutable_hello() = hello;
    stream->Write(first);
    proto::TrackerMessage message;
    std::thread heart;
    while (stream->Read(&message)) {
      if (message.has_welcome()) {
        std::lock_guard lock(mutex_);
        stream_ = stream.get();
        const int every_ms = message.welcome().heartbeat_ms();
        if (!heart.joinable()) heart = std::thread([this, every_ms, &holding] { Beat(every_ms, holding); });
      }
      on_message(message);
    }
    {
      std::lock_guard lock(mutex_);
      stream_ = nullptr;
      context_ = nullptr;
    }
    wake_.notify_all();
    if (heart.joinable()) heart.join();
    const Status ended = FromGrpc(stream->Finish());
    std::lock_guard lock(mutex_);
    if (stopped_) return absl::CancelledError("stopped");
    return ended.ok() ? absl::UnavailableError("the tracker has closed the connection") : ended;
  }

  void Send(const proto::AgentMessage& message) {
    std::lock_guard lock(mutex_);
    if (stream_ != nullptr) stream_->Write(message);
  }

  StatusOr<proto::Blob> FetchBlob(const std::string& hash) {
    proto::GetBlobRequest request;
    request.set_hash(hash);
    proto::GetBlobReply reply;
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kBlobTimeout);
    context.set_wait_for_ready(true);
    TILTH_RETURN_IF_ERROR(FromGrpc(Stub()->GetBlob(&context, request, &reply)), "fetching a blob");
    return std::move(*reply.mutable_blob());
  }

  void Stop() {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    if (context_ != nullptr) context_->TryCancel();
  }

 private:
  std::shared_ptr<proto::Agents::Stub> Dial() const { return proto::Agents::NewStub(DialTracker(address_)); }

  std::shared_ptr<proto::Agents::Stub> Stub() {
    std::lock_guard lock(mutex_);
    return stub_;
  }

  void Beat(int every_ms, const std::function<std::vector<proto::Lease>()>& holding) {
    const std::chrono::milliseconds interval(every_ms > 0 ? every_ms : kDefaultHeartbeatMs);
    std::unique_lock lock(mutex_);
    while (!wake_.wait_for(lock, interval, [this] { return stream_ == nullptr; })) {
      lock.unlock();
      proto::AgentMessage message;
      message.mutable_heartbeat();
      for (proto::Lease& lease : holding()) *message.mutable_heartbeat()->add_holding() = std::move(lease);
      Send(message);
      lock.lock();
    }
  }

  const std::string address_;
  std::mutex mutex_;
  std::shared_ptr<proto::Agents::Stub> stub_;  // of the present connection; a call in flight keeps its own alive
  std::condition_variable wake_;
  bool stopped_ = false;
  grpc::ClientContext* context_ = nullptr;                                                           // while conversing
  grpc::ClientReaderWriterInterface<proto::AgentMessage, proto::TrackerMessage>* stream_ = nullptr;  // once welcome
};

TrackerStream::TrackerStream(const std::string& address) : impl_(std::make_unique<Impl>(address)) {}
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
