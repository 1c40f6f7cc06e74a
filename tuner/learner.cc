// When to train, and when to believe the result.
#include "tuner/learner.h"

#include <algorithm>

#include "cost_model/xgb_model.h"

namespace tilth {
namespace {

constexpr int kFirstRows = 24;          // before that the prior ranks better than what so few rows teach
constexpr int kFewestOfTask = 4;        // measured candidates of a task that make the learned scale of it meaningful
constexpr int kFewestNewRows = 16;
constexpr double kNewShare = 0.06;      // training takes time that grows with the data, so train ever more rarely

}  // namespace

StatusOr<std::unique_ptr<Learner>> Learner::Create(int num_tasks) {
  std::unique_ptr<Learner> learner(new Learner());
  learner->successes_.resize(static_cast<size_t>(num_tasks));
  learner->prior_ = MakeAnalyticModel();
  TILTH_ASSIGN_OR_RETURN(learner->learned_, XgbModel::Create());
  return learner;
}

void Learner::Add(int task, std::span<const float> features, double median_ns) {
  data_.Append(features, median_ns, task);
  if (median_ns > 0) ++successes_[static_cast<size_t>(task)];
}

Status Learner::Refresh() {
  const int fresh = data_.rows() - trained_rows_;
  if (data_.rows() < kFirstRows) return absl::OkStatus();
  if (trained_rows_ > 0 && fresh < std::max(kFewestNewRows, static_cast<int>(kNewShare * data_.rows()))) {
    return absl::OkStatus();
  }
  TILTH_RETURN_IF_ERROR(learned_->Update(data_), "training the cost model on ", data_.rows(), " measurements");
  trained_rows_ = data_.rows();
  ++trainings_;
  return absl::OkStatus();
}

const CostModel& Learner::ModelFor(int task) const {
  const bool learnt = trained_rows_ > 0 && successes_[static_cast<size_t>(task)] >= kFewestOfTask;
  return learnt ? *learned_ : *prior_;
}

}  // namespace tilth
