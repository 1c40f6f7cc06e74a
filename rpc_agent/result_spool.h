// Results that the tracker has not acknowledged, on disk: an agent that is killed sends them when it is back. Those
// that the disk does not take are kept in memory, so that a full disk loses nothing while the agent lives.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/status.h"

namespace tilth {

namespace proto {
class Lease;
class TrialFinished;
}  // namespace proto

// Thread-safe.
class ResultSpool {
 public:
  // Files of an earlier process are taken over; damaged ones are removed.
  static StatusOr<std::unique_ptr<ResultSpool>> Open(const std::string& directory);

  // Survives the death of this process when it returns OK; this process' life in any case.
  Status Add(const proto::TrialFinished& finished);
  void Remove(const proto::Lease& lease);
  // In the order of fencing tokens, which is the order in which the tracker gave them out.
  std::vector<proto::TrialFinished> All() const;

 private:
  explicit ResultSpool(std::string directory) : directory_(std::move(directory)) {}

  const std::string directory_;
  mutable std::mutex mutex_;
  std::map<uint64_t, std::string> in_memory_;  // by token: messages that could not be written
};

}  // namespace tilth
