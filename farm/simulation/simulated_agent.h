// One agent of a simulated fleet.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "farm/simulation/agent_call.h"
#include "farm/simulation/simulated_device.h"
#include "farm/simulation/simulated_fleet.h"

namespace tilth {

// What all agents of a fleet share.
struct FleetContext {
  std::string tracker;
  std::function<void(const std::string&)> on_grant;
  boost::asio::io_context timers;
  std::atomic<int64_t> attached = 0;
  std::atomic<int64_t> grants = 0, finished = 0, acknowledged = 0, revoked = 0, connections = 0;
};

// Thread-safe. Its call and its timers hold it, too, until they have ended after Stop.
class SimulatedAgent : public std::enable_shared_from_this<SimulatedAgent> {
 public:
  SimulatedAgent(const SimulatedAgentOptions& options, FleetContext& fleet);

  void Dial();
  // Ends the connection and everything that is timed; no new connection is made.
  void Stop();

 private:
  using Timer = boost::asio::steady_timer;

  double UptimeS() const;
  // Calls `then` under the lock, unless the agent stops before.
  void After(Timer& timer, double seconds, void (SimulatedAgent::*then)());
  void OnMessage(const proto::TrackerMessage& message);
  void OnClosed(std::shared_ptr<AgentCall> call);
  void OnWelcome(const proto::Welcome& welcome);
  void OnGrant(const proto::Grant& grant);
  void OnRevoke(const proto::Lease& lease);
  void StartNext();
  void FinishRunning();
  void Beat();
  void Disconnect();
  void Restart();
  void Send(proto::AgentMessage message);
  // Queued, running or finished but unacknowledged.
  template <typename Message>
  void AddHolding(Message* message) const;

  const SimulatedAgentOptions options_;
  FleetContext& fleet_;
  const int64_t begun_ns_;
  Timer trial_, heartbeat_, disconnect_, restart_, dial_;

  mutable std::mutex mutex_;
  SimulatedDevice device_;
  std::shared_ptr<AgentCall> call_;  // null: none, or it is over
  bool stopped_ = false, attached_ = false;
  double heartbeat_s_ = 1, running_ms_ = 0;
  std::deque<proto::Lease> waiting_;
  std::optional<proto::Lease> running_;
  std::map<uint64_t, proto::TrialFinished> unacknowledged_;  // by token
};

}  // namespace tilth
