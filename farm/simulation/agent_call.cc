// See the header.
#include "farm/simulation/agent_call.h"

#include <utility>

#include "proto/dial.h"

namespace tilth {

AgentCall::AgentCall(const std::string& tracker, OnMessage on_message, OnClosed on_closed)
    : stub_(proto::Agents::NewStub(DialTracker(tracker))),
      on_message_(std::move(on_message)),
      on_closed_(std::move(on_closed)) {}

void AgentCall::Start(const proto::AgentHello& hello) {
  self_ = shared_from_this();
  stub_->async()->Attach(&context_, this);
  AddHold();  // writes come from outside of reactions
  proto::AgentMessage message;
  *message.mutable_hello() = hello;
  Send(std::move(message));
  StartRead(&incoming_);
  StartCall();
}

void AgentCall::Send(proto::AgentMessage message) {
  std::lock_guard lock(mutex_);
  if (over_) return;
  outgoing_.push_back(std::move(message));
  if (outgoing_.size() == 1) StartWrite(&outgoing_.front());
}

void AgentCall::OnReadDone(bool ok) {
  if (ok) {
    on_message_(incoming_);
    StartRead(&incoming_);
    return;
  }
  {
    std::lock_guard lock(mutex_);
    over_ = true;
  }
  RemoveHold();
}

void AgentCall::OnWriteDone(bool ok) {
  std::lock_guard lock(mutex_);
  outgoing_.pop_front();
  if (ok && !over_ && !outgoing_.empty()) StartWrite(&outgoing_.front());
  if (!ok) outgoing_.clear();
}

void AgentCall::OnDone(const grpc::Status&) { on_closed_(std::move(self_)); }

}  // namespace tilth
