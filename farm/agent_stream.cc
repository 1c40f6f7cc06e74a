#include "farm/agent_stream.h"

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>

#include "proto/grpc_status.h"
#include "proto/measure.h"

namespace tilth {
namespace {

using Reactor = grpc::ServerBidiReactor<proto::AgentMessage, proto::TrackerMessage>;

// Messages of one agent that the tracker has not yet dealt with; the others wait in the agent's own connection.
constexpr int kMaxUnhandled = 8;

// Stands for a reactor that may end at any time; the tracker holds it longer than the reactor lives.
class StreamPort : public AgentPort {
 public:
  explicit StreamPort(Reactor* reactor) : reactor_(reactor) {}

  void Send(proto::TrackerMessage message) override {
    std::lock_guard lock(mutex_);
    if (reactor_ == nullptr) return;
    queue_.push_back(std::move(message));
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

  // The next message comes to incoming().
  void Read() {
    std::lock_guard lock(mutex_);
    if (reactor_ != nullptr) reactor_->StartRead(&incoming_);
  }
  proto::AgentMessage& incoming() { return incoming_; }

 private:
  std::mutex mutex_;
  Reactor* reactor_;                         // null once finished
  std::deque<proto::TrackerMessage> queue_;  // front: being written
  proto::AgentMessage incoming_;
};

class AgentStream : public Reactor {
 public:
  AgentStream(TrackerLoop& loop, FarmSecurity* security, const StatusOr<Peer>& peer)
      : loop_(loop), security_(security), port_(std::make_shared<StreamPort>(this)) {
    if (!peer.ok()) {
      port_->Close(peer.status());
      return;
    }
    peer_ = *peer;
    if (security_ != nullptr) {
      stream_ = security_->AddStream(peer_, [port = port_](const Status& why) { port->Close(why); });
    }
    port_->Read();
  }

  void OnReadDone(bool ok) override {
    if (!ok) return port_->Close(absl::OkStatus());
    if (!agent_id_.empty()) return Handle();
    if (const Status refused = HandleHello(); !refused.ok()) port_->Close(refused);
  }

  void OnWriteDone(bool ok) override { port_->OnWritten(ok); }
  void OnCancel() override { port_->Close(absl::CancelledError("the agent has gone")); }

  void OnDone() override {
    if (security_ != nullptr) security_->RemoveStream(stream_);
    if (!agent_id_.empty()) {
      loop_.Post([agent_id = agent_id_, port = port_](Tracker& tracker) { tracker.Detach(agent_id, port.get()); });
    }
    delete this;
  }

 private:
  Status HandleHello() {
    proto::AgentMessage& incoming = port_->incoming();
    if (!incoming.has_hello()) return absl::InvalidArgumentError("the first message must be a hello");
    const proto::AgentHello& hello = incoming.hello();
    if (hello.protocol_version() != kProtocolVersion) {
      return ProtocolMismatch("tracker", hello.protocol_version(), kProtocolVersion);
    }
    if (hello.agent_id().empty()) return absl::InvalidArgumentError("the hello has no agent id");
    if (const Status status = CheckIsAgent(peer_, hello.agent_id(), hello.device().device_class()); !status.ok()) {
      security_->audit().WriteRefusal(peer_, "/tilth.proto.Agents/Attach", status);
      return status;
    }
    agent_id_ = hello.agent_id();
    loop_.Call<Status>([hello = std::move(*incoming.mutable_hello()),
                        port = port_](Tracker& tracker) { return tracker.Attach(hello, port); },
                       [port = port_](const Status& attached) {
                         if (!attached.ok()) port->Close(attached);
                       });
    port_->Read();
    return absl::OkStatus();
  }

  void Handle() {
    const int unhandled = unhandled_->fetch_add(1) + 1;
    // The reactor may be gone by then, which the port knows.
    const auto handled = [port = port_, count = unhandled_] {
      if (count->fetch_sub(1) == kMaxUnhandled) port->Read();
    };
    loop_.Post(
        [agent_id = agent_id_, port = port_, message = std::move(port_->incoming()), handled](Tracker& tracker) {
          tracker.OnMessage(agent_id, port.get(), message);
          if (!message.has_finished()) return handled();
          // Its acknowledgement waits for the disk. If the disk never answers, the agent is not to fill the memory.
          tracker.AddEffect([handled](const Status&) { handled(); });
        },
        [handled](const Status&) { handled(); });
    if (unhandled < kMaxUnhandled) port_->Read();
  }

  TrackerLoop& loop_;
  FarmSecurity* const security_;
  Peer peer_;
  int64_t stream_ = 0;  // of security_
  std::shared_ptr<StreamPort> port_;
  std::string agent_id_;  // empty until the hello
  std::shared_ptr<std::atomic<int>> unhandled_ = std::make_shared<std::atomic<int>>(0);
};

}  // namespace

Reactor* NewAgentStream(TrackerLoop& loop, FarmSecurity* security, const StatusOr<Peer>& peer) {
  return new AgentStream(loop, security, peer);
}

}  // namespace tilth
