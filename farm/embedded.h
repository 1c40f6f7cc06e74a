// A farm for one process: a tracker (`tilth farm serve`) and one agent (`tilth-agent`) as its children on loopback, the
// same programs that an operator starts by hand. Used when no farm is given.
//
// A child that dies is started again. All of them end with this process, however it ends.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"

namespace tilth {

struct EmbeddedFarmOptions {
  std::string device_class = "local";
  // The tracker's state and the agent's cache; empty: a temporary directory, removed at the end.
  std::string state_directory;
  // Where tilth and tilth-agent are; empty: the folder of the running program.
  std::string program_directory;
  // The core trials are pinned to; -1: the agent chooses (the last one it may use).
  int measure_core = -1;
  std::vector<std::string> agent_arguments;  // given to tilth-agent as they are
};

class EmbeddedFarm {
 public:
  // Returns when the tracker listens; the agent attaches on its own (FarmClient::WaitDevice). kNotFound names a program
  // that is missing; kUnavailable carries the last words of a tracker that does not come up.
  static StatusOr<std::unique_ptr<EmbeddedFarm>> Start(const EmbeddedFarmOptions& options);
  ~EmbeddedFarm();  // kills both
  EmbeddedFarm(const EmbeddedFarm&) = delete;
  EmbeddedFarm& operator=(const EmbeddedFarm&) = delete;

  // "127.0.0.1:PORT", for FarmClient. Does not change over restarts.
  const std::string& address() const;
  const std::string& device_class() const;

  // How often a child had to be started again, and the processes now running; for reports and tests.
  int restarts() const;
  int tracker_pid() const;
  int agent_pid() const;

 private:
  class Impl;
  explicit EmbeddedFarm(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tilth
