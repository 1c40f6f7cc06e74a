// Tunes without a device: candidates whose times are known stand for a search space, and the learner says which of them
// to measure next. Compares learners and models in minutes.
#pragma once

#include <cstdint>
#include <vector>

#include "base/status.h"
#include "cost_model/cost_model.h"
#include "tuner/learner.h"

namespace tilth {

struct LearnerReplayOptions {
  int batch = 8;               // candidates of a task in a row, as in a session
  int fewest_candidates = 64;  // tasks with fewer are left out
  int trials_per_task = 48;
  double random_share = 0.05;
  uint64_t seed = 1;
};

struct LearnerReplay {
  int tasks = 0;
  // After so many trials of all tasks together: the best time of each task's candidates over the best found so far,
  // mean over the tasks. Entry i is after i + 1 batches.
  std::vector<double> share_of_best;
  int batch = 0;

  // Trials of all tasks together until the share is reached; those of the whole replay if it never is.
  int TrialsTo(double share) const;
};

// `known` is grouped by task. Deterministic. FAILED_PRECONDITION: no task has enough candidates.
StatusOr<LearnerReplay> ReplayLearner(const TrainingSet& known, const LearnerOptions& learner,
                                      const LearnerReplayOptions& options);

}  // namespace tilth
