// The learned cost model: gradient-boosted trees by XGBoost's C API (its only home in Tilth).
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "cost_model/cost_model.h"

namespace tilth {

struct XgbOptions {
  int rounds = 100;
  int depth = 6;
  int bins = 32;  // per feature; 256 order no better (4,500 records: .868 of pairs against .870) and take twice as long
  double eta = 0.1;
  double subsample = 0.8;
  int seed = 1;
};

// Regression, squared error, histogram trees, one thread: the same data and options give the same model. Update learns
// best_ns / median_ns within each group (1 for the best, 0 for failures); Fit learns what it is told.
class XgbModel : public CostModel {
 public:
  static StatusOr<std::unique_ptr<XgbModel>> Create(const XgbOptions& options = {});

  // A model written by ToJson. INVALID_ARGUMENT for anything else, or for a model of other features.
  static StatusOr<std::unique_ptr<XgbModel>> FromJson(std::string_view json);
  // FAILED_PRECONDITION before the first Update.
  StatusOr<std::string> ToJson() const;

  ~XgbModel() override;
  std::string name() const override { return "xgboost"; }
  Status Update(const TrainingSet& data) override;
  // Learns one label per row, replacing what was learned before. `weights` may be empty: all the same.
  // INVALID_ARGUMENT: lengths that differ, or no rows.
  Status Fit(const FeatureMatrix& features, std::span<const float> labels, std::span<const float> weights);
  // FAILED_PRECONDITION before the first Update.
  StatusOr<std::vector<float>> Predict(const FeatureMatrix& features) const override;
  // The same numbers from XGBoost's own predictor, slowly: what Predict is checked against. FAILED_PRECONDITION unless
  // this object was trained.
  StatusOr<std::vector<float>> PredictByXgboost(const FeatureMatrix& features) const;

 private:
  struct Impl;
  explicit XgbModel(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tilth
