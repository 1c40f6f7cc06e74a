// What stands around all runners of an agent: they are born without a network, see no processes but their own, and
// share limits of memory and number of processes. Together with what a runner does to the candidate itself
// (runner/sandbox.h) it contains candidates; where the system does not allow a part of it, the others still hold.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tilth {

class Containment {
 public:
  // For the life of this process, once, before it has a second thread. `name` tells agents of one machine apart, and
  // stays the same when an agent is started again; `memory_limit_bytes` is that of a candidate, 0: none.
  Containment(const std::string& name, int64_t memory_limit_bytes);
  Containment(const Containment&) = delete;
  Containment& operator=(const Containment&) = delete;
  ~Containment();

  // "no network, own processes and ipc, control groups for memory and pids", or what is left of it.
  const std::string& description() const { return description_; }

 private:
  void EnterGroupsV1(const std::string& name, int64_t memory_limit_bytes);
  void EnterGroupV2(int64_t memory_limit_bytes);
  bool UseGroup(const std::string& directory, const std::vector<std::pair<std::string, std::string>>& settings);

  std::string description_;
  std::vector<std::string> groups_;       // made by this agent
  std::vector<std::string> controllers_;  // that hold
};

}  // namespace tilth
