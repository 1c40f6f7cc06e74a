// See the header.
#include "farm/simulation/simulated_agent.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <chrono>
#include <utility>

#include "base/clock.h"
#include "base/version.h"
#include "proto/convert.h"
#include "proto/measure.h"

namespace tilth {

SimulatedAgent::SimulatedAgent(const SimulatedAgentOptions& options, FleetContext& fleet)
    : options_(options),
      fleet_(fleet),
      begun_ns_(SystemClock().NowNs()),
      trial_(fleet.timers),
      heartbeat_(fleet.timers),
      disconnect_(fleet.timers),
      restart_(fleet.timers),
      dial_(fleet.timers),
      device_(options.device) {}

void SimulatedAgent::Dial() {
  std::lock_guard lock(mutex_);
  if (stopped_ || call_ != nullptr) return;
  proto::AgentHello hello;
  hello.set_protocol_version(kProtocolVersion);
  hello.set_agent_version(std::string(kVersion));
  hello.set_agent_id(options_.agent_id);
  ToProto(device_.Describe(), hello.mutable_device());
  hello.set_slots(options_.slots);
  *hello.mutable_health() = device_.Health(UptimeS());
  AddHolding(&hello);
  const std::shared_ptr<SimulatedAgent> self = shared_from_this();
  call_ = std::make_shared<AgentCall>(
      fleet_.tracker, [self](const proto::TrackerMessage& message) { self->OnMessage(message); },
      [self](std::shared_ptr<AgentCall> call) { self->OnClosed(std::move(call)); });
  ++fleet_.connections;
  call_->Start(hello);
}

void SimulatedAgent::Stop() {
  std::lock_guard lock(mutex_);
  stopped_ = true;
  if (call_ != nullptr) call_->Break();
  for (Timer* timer : {&trial_, &heartbeat_, &disconnect_, &restart_, &dial_}) timer->cancel();
}

double SimulatedAgent::UptimeS() const { return 1e-9 * static_cast<double>(SystemClock().NowNs() - begun_ns_); }

void SimulatedAgent::After(Timer& timer, double seconds, void (SimulatedAgent::*then)()) {
  timer.expires_after(std::chrono::nanoseconds(static_cast<int64_t>(1e9 * seconds)));
  timer.async_wait([self = shared_from_this(), then](const boost::system::error_code& error) {
    if (error) return;
    std::lock_guard lock(self->mutex_);
    if (!self->stopped_) (self.get()->*then)();
  });
}

void SimulatedAgent::OnMessage(const proto::TrackerMessage& message) {
  if (message.has_grant() && fleet_.on_grant) fleet_.on_grant(message.grant().trial().trial_id());
  std::lock_guard lock(mutex_);
  if (message.has_welcome()) OnWelcome(message.welcome());
  if (message.has_grant()) OnGrant(message.grant());
  if (message.has_ack()) fleet_.acknowledged += unacknowledged_.erase(message.ack().lease().token()) > 0 ? 1 : 0;
  if (message.has_revoke()) OnRevoke(message.revoke().lease());
}

void SimulatedAgent::OnClosed(std::shared_ptr<AgentCall> call) {
  std::lock_guard lock(mutex_);
  boost::asio::post(fleet_.timers, [call = std::move(call)]() mutable { call.reset(); });
  call_ = nullptr;
  if (std::exchange(attached_, false)) --fleet_.attached;
  if (stopped_) return;
  constexpr double kShortestS = 0.02;
  dial_.expires_after(
      std::chrono::microseconds(static_cast<int64_t>(1e3 * device_.Draw(options_.away) + 1e6 * kShortestS)));
  dial_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
    if (!error) self->Dial();
  });
}

void SimulatedAgent::OnWelcome(const proto::Welcome& welcome) {
  attached_ = true;
  ++fleet_.attached;
  heartbeat_s_ = 1e-3 * welcome.heartbeat_ms() * options_.heartbeat_slowness;
  After(heartbeat_, heartbeat_s_, &SimulatedAgent::Beat);
  if (options_.disconnects_per_s > 0) {
    After(disconnect_, device_.SecondsToNext(options_.disconnects_per_s), &SimulatedAgent::Disconnect);
  }
  if (options_.restarts_per_s > 0) {
    After(restart_, device_.SecondsToNext(options_.restarts_per_s), &SimulatedAgent::Restart);
  }
  for (const auto& [token, finished] : unacknowledged_) {
    proto::AgentMessage again;
    *again.mutable_finished() = finished;
    Send(std::move(again));
  }
}

void SimulatedAgent::OnGrant(const proto::Grant& grant) {
  ++fleet_.grants;
  waiting_.push_back(grant.lease());
  StartNext();
}

void SimulatedAgent::OnRevoke(const proto::Lease& lease) {
  ++fleet_.revoked;
  std::erase_if(waiting_, [&](const proto::Lease& other) { return other.token() == lease.token(); });
  unacknowledged_.erase(lease.token());
}

void SimulatedAgent::StartNext() {
  while (!running_ && !waiting_.empty()) {
    running_ = std::move(waiting_.front());
    waiting_.pop_front();
    proto::AgentMessage started;
    *started.mutable_started()->mutable_lease() = *running_;
    Send(std::move(started));
    running_ms_ = device_.TrialMs();
    if (running_ms_ > 0) {
      After(trial_, 1e-3 * running_ms_, &SimulatedAgent::FinishRunning);
    } else {
      FinishRunning();
    }
  }
}

void SimulatedAgent::FinishRunning() {
  if (!running_) return;
  proto::AgentMessage message;
  proto::TrialFinished* finished = message.mutable_finished();
  *finished->mutable_lease() = *running_;
  *finished->mutable_result() = device_.Measure(running_->trial_id(), running_ms_, UptimeS());
  finished->set_busy_seconds(1e-3 * running_ms_);
  unacknowledged_[running_->token()] = *finished;
  running_.reset();
  ++fleet_.finished;
  Send(std::move(message));
  StartNext();
}

void SimulatedAgent::Beat() {
  proto::AgentMessage message;
  AddHolding(message.mutable_heartbeat());
  *message.mutable_heartbeat()->mutable_health() = device_.Health(UptimeS());
  Send(std::move(message));
  After(heartbeat_, heartbeat_s_, &SimulatedAgent::Beat);
}

void SimulatedAgent::Disconnect() {
  if (call_ != nullptr) call_->Break();
}

void SimulatedAgent::Restart() {
  waiting_.clear();
  running_.reset();
  trial_.cancel();
  Disconnect();
}

void SimulatedAgent::Send(proto::AgentMessage message) {
  if (call_ != nullptr) call_->Send(std::move(message));
}

template <typename Message>
void SimulatedAgent::AddHolding(Message* message) const {
  if (running_) *message->add_holding() = *running_;
  for (const proto::Lease& lease : waiting_) *message->add_holding() = lease;
  for (const auto& [token, finished] : unacknowledged_) *message->add_holding() = finished.lease();
}

}  // namespace tilth
