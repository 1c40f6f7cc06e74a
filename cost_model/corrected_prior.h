// A model from before the session (the analytic prior, or a pre-trained model), corrected by what measurements say
// about its errors.
#pragma once

#include <memory>

#include "cost_model/xgb_model.h"

namespace tilth {

// Learns the ratio between measured time and the prior's estimate instead of the time: a handful of rows already helps,
// because what the prior knows need not be learnt again (docs/decisions has the comparison). Before the first Update it
// is the prior.
class CorrectedPrior : public CostModel {
 public:
  // Of the analytic prior.
  static StatusOr<std::unique_ptr<CorrectedPrior>> Create(const XgbOptions& options = {});
  // Of a model whose scores are -log2 of time up to a constant of the group.
  static StatusOr<std::unique_ptr<CorrectedPrior>> Create(std::shared_ptr<const CostModel> prior,
                                                          const XgbOptions& options = {});

  std::string name() const override { return StrCat("corrected ", prior_->name()); }
  Status Update(const TrainingSet& data) override;
  StatusOr<std::vector<float>> Predict(const FeatureMatrix& features) const override;

 private:
  CorrectedPrior(std::shared_ptr<const CostModel> prior, std::unique_ptr<XgbModel> correction)
      : prior_(std::move(prior)), correction_(std::move(correction)) {}

  std::shared_ptr<const CostModel> prior_;
  std::unique_ptr<XgbModel> correction_;
  bool trained_ = false;
};

}  // namespace tilth
