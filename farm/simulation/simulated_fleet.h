// Many simulated agents in one process. Each is an agent to the tracker: a connection of its own, leases, heartbeats,
// results that it keeps until they are acknowledged. Only the devices are not there (simulated_device.h).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "farm/simulation/simulated_device.h"

namespace tilth {

struct SimulatedAgentOptions {
  std::string agent_id;
  SimulatedDeviceOptions device;
  int slots = 2;
  double disconnects_per_s = 0;   // the connection breaks, and it dials again
  double restarts_per_s = 0;      // as if killed: leases without a result are forgotten, kept results are not
  Latency away;                   // from either to the next dial
  double heartbeat_slowness = 1;  // its heartbeats come this many times as seldom as the tracker wants
};

struct FleetCounts {
  int64_t grants = 0, finished = 0, acknowledged = 0, revoked = 0, connections = 0;
};

class SimulatedFleet {
 public:
  // `on_grant` is called when a trial arrives at an agent, from any thread, also of several at a time; may be null.
  SimulatedFleet(const std::string& tracker, std::vector<SimulatedAgentOptions> agents,
                 std::function<void(const std::string& trial_id)> on_grant);
  ~SimulatedFleet();  // all agents vanish
  SimulatedFleet(const SimulatedFleet&) = delete;
  SimulatedFleet& operator=(const SimulatedFleet&) = delete;

  // Until all have been welcomed at the same time; kDeadlineExceeded says how many are.
  Status WaitAttached(int64_t timeout_ms) const;
  FleetCounts counts() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tilth
