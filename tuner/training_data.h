// From tuning logs to what cost models train on.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "cost_model/cost_model.h"
#include "cost_model/pretrained_model.h"

namespace tilth {

// Measurements that may be compared with each other: one workload, generated for one target, on one device.
struct TrainingGroup {
  std::string workload_hash;
  std::string workload_name;
  std::string target_hash;
  std::string device_fingerprint;
  MachineClass machine;
};

struct TrainingData {
  TrainingSet set;  // set.group[i] is an index into `groups`
  std::vector<TrainingGroup> groups;
  int64_t stale_records = 0;  // of other space versions, or of workloads that this version cannot read; left out
};

// Reads the logs one after the other. A candidate measured several times counts once, with its last time; the duplicate
// of another's machine code is left out. Features are extracted anew, whatever version wrote the record. Groups with
// the same parts in several logs are one. Errors: those of opening and reading a log, naming it.
StatusOr<TrainingData> ReadTrainingData(std::span<const std::string> log_paths);

}  // namespace tilth
