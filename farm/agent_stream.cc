#include "farm/agent_stream.h"

#include <deque>
#include <memory>
#include <mutex>

#include "proto/grpc_status.h"
#include "proto/measure.h"

namespace tilth {
namespace {

using Reactor = grpc::ServerBidiReactor<proto::AgentMessage, proto::TrackerMessage>;

// Queues messages for a reactor that may end at any time; the tracker holds it longer than the reactor lives.
class StreamPort : public AgentPort {
 public:
  explicit StreamPort(Reactor* reactor) : reactor_(reactor) {}

  void Send(const proto::TrackerMessage& message) override {
    std::lock_guard lock(mutex_);
    if (reactor_ == nullptr) return;
    queue_.push_back(message);
    if (queue_.size() == 1) reactor_->StartWrite(&queue_.front());
  }

  void Close(const Status& why) override {
    std::lock_guard lock(mutex_);
    if (reactor_ != nullptr) reactor_->Finish(ToGrpc(why));
    reactor_ = nullptr;
  }

  void OnWritten(bool ok) {
    std::lock_guard lock(mutex_);
    if (!queue_.empty()) queue_.pop_front();
    if (ok && reactor_ != nullptr && !queue_.empty()) reactor_->StartWrite(&queue_.front());
  }

 private:
  std::mutex mutex_;
  Reactor* reactor_;                         // null once finished
  std::deque<proto::TrackerMessage> queue_;  // front: being written
};

class AgentStream : public Reactor {
 public:
  explicit AgentStream(Tracker& tracker) : tracker_(tracker), port_(std::make_shared<StreamPort>(this)) {
    StartRead(&incoming_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) return port_->Close(absl::OkStatus());
    const Status handled = agent_id_.empty() ? HandleHello() : Handle();
    if (!handled.ok()) return port_->Close(handled);
    StartRead(&incoming_);
  }

  void OnWriteDone(bool ok) override { port_->OnWritten(ok); }
  void OnCancel() override { port_->Close(absl::CancelledError("the agent has gone")); }

  void OnDone() override {
    if (!agent_id_.empty()) tracker_.Detach(agent_id_, port_.get());
    delete this;
  }

 private:
  Status HandleHello() {
    if (!incoming_.has_hello()) return absl::InvalidArgumentError("the first message must be a hello");
    const proto::AgentHello& hello = incoming_.hello();
    if (hello.protocol_version() != kProtocolVersion) {
      return ProtocolMismatch("tracker", hello.protocol_version(), kProtocolVersion);
    }
    TILTH_RETURN_IF_ERROR(tracker_.Attach(hello, port_));
    agent_id_ = hello.agent_id();
    return absl::OkStatus();
  }

  Status Handle() {
    switch (incoming_.kind_case()) {
      case proto::AgentMessage::kHeartbeat:
        tracker_.OnHeartbeat(agent_id_, incoming_.heartbeat());
        break;
      case proto::AgentMessage::kStarted:
        tracker_.OnStarted(agent_id_, incoming_.started().lease());
        break;
      case proto::AgentMessage::kFinished:
        tracker_.OnFinished(agent_id_, incoming_.finished());
        break;
      case proto::AgentMessage::kReturned:
        tracker_.OnReturned(agent_id_, incoming_.returned());
        break;
      default:
        return absl::InvalidArgumentError("an unexpected message");
    }
    return absl::OkStatus();
  }

  Tracker& tracker_;
  std::shared_ptr<StreamPort> port_;
  proto::AgentMessage incoming_;
  std::string agent_id_;  // empty until the hello
};

}  // namespace

Reactor* NewAgentStream(Tracker& tracker) { return new AgentStream(tracker); }

}  // namespace tilth
