// The agent: dials a tracker, holds leases, carries trials out one after another, and keeps every result until the
// tracker has acknowledged it (farm.proto). It lives through anything the tracker does, except being told that it is
// not wanted.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "rpc_agent/trial_executor.h"

namespace tilth {

struct AgentOptions {
  std::string tracker;  // "HOST:PORT"
  std::string device_class;
  std::vector<std::string> tags;  // what sessions may ask for
  std::string work_directory;     // one agent at a time; holds its identities, caches and unacknowledged results
  bool recalibrate = false;       // measure the device's peaks although they are known
  std::string containment;        // what stands around its runners (Containment), for people
  ExecutorOptions executor;
};

// Everything that an agent tells of its device: read, asked of the runner, and measured if it never was.
StatusOr<Device> KnowDevice(const AgentOptions& options, TrialExecutor& executor);

class Agent {
 public:
  // kFailedPrecondition if another agent uses the work directory.
  static StatusOr<std::unique_ptr<Agent>> Create(const AgentOptions& options);
  ~Agent();
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  // Measures the device, attaches, and works until the tracker refuses it for good (another protocol version, a wrong
  // token: the status says which) or Stop is called (OK).
  Status Run();

  // From any thread. A running trial is finished first.
  void Stop();

 private:
  class Impl;
  explicit Agent(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tilth
