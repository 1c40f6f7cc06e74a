// Learner: what the session has learnt from its measurements.
#pragma once

#include <memory>
#include <span>

#include "base/status.h"
#include "cost_model/corrected_prior.h"

namespace tilth {

// One model for all tasks of a session: the prior's errors carry over between kernels. Not thread-safe.
class Learner {
 public:
  static StatusOr<std::unique_ptr<Learner>> Create();

  // A measurement of `task`: its features and time, 0 for a failure.
  void Add(int task, std::span<const float> features, double median_ns);

  // Trains again if the data has grown enough since the last time.
  Status Refresh();

  const CostModel& model() const { return *model_; }

 private:
  Learner() = default;

  TrainingSet data_;
  int trained_rows_ = 0;
  std::unique_ptr<CostModel> model_;
};

}  // namespace tilth
