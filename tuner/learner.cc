// When to train.
#include "tuner/learner.h"

#include <algorithm>

namespace tilth {
namespace {

constexpr int kFewestNewRows = 8;
constexpr double kNewShare = 0.1;  // training takes time that grows with the data, so train ever more rarely

}  // namespace

StatusOr<std::unique_ptr<Learner>> Learner::Create() {
  std::unique_ptr<Learner> learner(new Learner());
  TILTH_ASSIGN_OR_RETURN(learner->model_, CorrectedPrior::Create());
  return learner;
}

void Learner::Add(int task, std::span<const float> features, double median_ns) {
  data_.Append(features, median_ns, task);
}

Status Learner::Refresh() {
  const int fresh = data_.rows() - trained_rows_;
  if (fresh < std::max(kFewestNewRows, static_cast<int>(kNewShare * data_.rows()))) return absl::OkStatus();
  TILTH_RETURN_IF_ERROR(model_->Update(data_), "training the cost model on ", data_.rows(), " measurements");
  trained_rows_ = data_.rows();
  return absl::OkStatus();
}

}  // namespace tilth
