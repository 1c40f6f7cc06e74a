// A forest that learns logarithms of times: what carries over from kernel to kernel and from network to network.
#pragma once

#include <memory>

#include "cost_model/xgb_model.h"

namespace tilth {

// Learns -log2(time) less its mean within each group: a kernel's size does not have to be learnt, only how its
// candidates differ. A row counts as much as it is fast (best / time), and a failure is taken for twice as slow as the
// slowest of its group (docs/decisions/0007 compares this with other labels). Predicts -log2 of time up to a constant
// of the group; FAILED_PRECONDITION before the first Update.
class LogTimeModel : public CostModel {
 public:
  static StatusOr<std::unique_ptr<LogTimeModel>> Create(const XgbOptions& options = {});

  std::string name() const override { return "log time"; }
  Status Update(const TrainingSet& data) override;
  StatusOr<std::vector<float>> Predict(const FeatureMatrix& features) const override {
    return forest_->Predict(features);
  }

  const XgbModel& forest() const { return *forest_; }

 private:
  explicit LogTimeModel(std::unique_ptr<XgbModel> forest) : forest_(std::move(forest)) {}

  std::unique_ptr<XgbModel> forest_;
};

}  // namespace tilth
