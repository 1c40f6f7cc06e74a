// A tuning session: from a model and a budget to a log that knows the best candidate of every kernel.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "base/status.h"
#include "compiler/graph/partition.h"
#include "ir/target.h"
#include "tuner/progress.h"
#include "tuner/summary.h"

namespace tilth {

class ArtifactCache;
class PretrainedModel;

struct TuneOptions {
  std::string model_name;  // for people: its path
  std::string model_hash;  // of everything that decides what is computed: what resuming goes by
  std::string log_path;    // created if it is not there
  Target target;
  int trials = 0;            // in total for this model, target and log; 0: 1000, or any number within a time budget
  double time_budget_s = 0;  // of this call; 0: none
  uint64_t seed = 0;         // 0: 1
  std::string farm_address;  // "HOST:PORT"; empty: a farm of our own on this machine
  std::string device_class;  // on that farm
  std::vector<std::string> device_tags;  // only its devices that have all of these
  int priority = 0;                      // on that farm: before other sessions of the same user
  std::string task_filter;               // only kernels with this in their name
  std::shared_ptr<const PretrainedModel>
      cost_model;                           // of earlier sessions, to begin with (tuner/learner.h); null: none
  std::string policy = "evolutionary";      // how to search: MakeKernelPolicy's names
  ArtifactCache* artifact_cache = nullptr;  // of compiled candidates; outlives the call; null: none
  // A log with a session of this model: its results answer, no farm is used (tuner/recorded_measurer.h). trials and
  // seed are that session's unless they are given.
  std::string replay_path;
};

// Tunes the kernels of `partition`. Runs until the trials are used up, every task has settled, the time is over, or
// `*stop` becomes true (summary.interrupted then); summary.stopped_because says which. Every outcome is in the log
// before anything depends on it, so that the process may be killed at any moment and the same call continues; when
// nothing is left to do it returns at once with the same summary, and starts nothing. Errors: bad input with place and
// remedy, a farm that is gone, a log that cannot be written. `progress` may be null.
StatusOr<TuneSummary> Tune(const Partition& partition, const TuneOptions& options, Progress* progress,
                           const std::atomic<bool>* stop);

}  // namespace tilth
