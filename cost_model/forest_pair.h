// Two forests that learn times in two ways, and err in different places.
#pragma once

#include <memory>

#include "cost_model/log_time_model.h"
#include "cost_model/xgb_model.h"

namespace tilth {

// The sum of -log2(time), centred, and of best / time, which spans a fraction of its range and counts twice. Orders
// more pairs rightly than either (docs/cost-models.md), for twice the work.
class ForestPair : public CostModel {
 public:
  static StatusOr<std::unique_ptr<ForestPair>> Create(const XgbOptions& options = {});

  std::string name() const override { return "both forests"; }
  Status Update(const TrainingSet& data) override;
  StatusOr<std::vector<float>> Predict(const FeatureMatrix& features) const override;

 private:
  ForestPair(std::unique_ptr<LogTimeModel> log_time, std::unique_ptr<XgbModel> share)
      : log_time_(std::move(log_time)), share_(std::move(share)) {}

  std::unique_ptr<LogTimeModel> log_time_;
  std::unique_ptr<XgbModel> share_;  // of the best
};

}  // namespace tilth
