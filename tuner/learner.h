// Learner: what the session has learnt from its measurements, and which model to trust for a task.
#pragma once

#include <memory>
#include <span>

#include "base/status.h"
#include "cost_model/cost_model.h"

namespace tilth {

// One learned model for all tasks of a session: features carry over between kernels, labels are relative within each.
// The analytic prior serves until there is enough to learn from. Not thread-safe.
class Learner {
 public:
  static StatusOr<std::unique_ptr<Learner>> Create(int num_tasks);

  // A measurement of `task`: its features and time, 0 for a failure.
  void Add(int task, std::span<const float> features, double median_ns);

  // Trains again if the data has grown enough since the last time.
  Status Refresh();

  // The model to score candidates of `task` with.
  const CostModel& ModelFor(int task) const;

  int trainings() const { return trainings_; }

 private:
  Learner() = default;

  TrainingSet data_;
  std::vector<int> successes_;  // by task
  int trained_rows_ = 0;
  int trainings_ = 0;
  std::unique_ptr<CostModel> prior_;
  std::unique_ptr<CostModel> learned_;
};

}  // namespace tilth
