// Learner: what the session has learnt from its measurements, and which model to trust.
#pragma once

#include <future>
#include <memory>
#include <span>
#include <vector>

#include "base/status.h"
#include "cost_model/cost_model.h"
#include "tuner/contenders.h"

namespace tilth {

struct LearnerOptions {
  // Scores of -log2 of time, from other sessions (cost_model/pretrained_model.h); null: none. It need not be good:
  // it is used as long as it orders what is measured better than the others do.
  std::shared_ptr<const CostModel> pretrained;
};

// Models for all tasks of a session together: what they get wrong carries over between kernels. There are the analytic
// prior, the prior corrected by the session's measurements, a forest trained on them alone, and the pre-trained model
// as it is and corrected; each measurement is scored by all before any is trained on it (tuner/contenders.h).
//
// Training runs on a thread of its own, one at a time, on the measurements so far; the models are replaced when a
// certain number of further ones has come in, for which Refresh then waits. What is used when is therefore a function
// of the sequence of calls alone. Not thread-safe itself; the models it hands out are, and outlive it.
class Learner {
 public:
  static StatusOr<std::unique_ptr<Learner>> Create(LearnerOptions options = {});
  ~Learner();

  // A measurement of `task`: its features and time, 0 for a failure. An error of a model shows at the next Refresh.
  void Add(int task, std::span<const float> features, double median_ns);

  // Trains again if the data has grown enough since the last time, and takes over what has been trained.
  Status Refresh();

  // The model for the next batch of proposals; another one the next time, perhaps.
  std::shared_ptr<const CostModel> Choose();

 private:
  using Models = std::vector<std::shared_ptr<const CostModel>>;
  struct Training {
    std::future<StatusOr<Models>> models;
    int take_over_at = 0;  // rows
  };

  explicit Learner(LearnerOptions options);
  StatusOr<std::vector<float>> ScoreByAll(std::span<const float> features) const;
  void StartTraining();
  Status TakeOver();

  LearnerOptions options_;
  Models models_;  // by contender; null: not trained yet
  Contenders contenders_;
  TrainingSet data_;
  int trained_rows_ = 0;
  std::unique_ptr<Training> training_;
  Status scoring_;
};

}  // namespace tilth
