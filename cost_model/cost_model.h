// CostModel: scores candidates by their features. Implementations: the analytic prior, which needs no data; the learned
// forest (xgb_model.h); and the prior with a forest that learns its errors (corrected_prior.h).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "cost_model/feature_matrix.h"

namespace tilth {

// Measurements to learn from; one entry of each vector per row.
struct TrainingSet {
  FeatureMatrix features;
  std::vector<double> median_ns;  // 0: the candidate failed
  std::vector<int> group;         // rows of one group (a workload on a device) are compared with each other

  int rows() const { return features.rows(); }
  void Append(std::span<const float> row, double time_ns, int group_id) {
    features.Append(row);
    median_ns.push_back(time_ns);
    group.push_back(group_id);
  }
};

// INVALID_ARGUMENT: no rows, or vectors of different lengths.
Status CheckLengths(const TrainingSet& data);

// Not thread-safe; confined to the thread of its owner.
class CostModel {
 public:
  virtual ~CostModel() = default;
  virtual std::string name() const = 0;

  // Learns from all of `data`, replacing what was learned before. A model that does not learn ignores it.
  // INVALID_ARGUMENT: vectors of different lengths.
  virtual Status Update(const TrainingSet& data) = 0;

  // One score per row, higher is faster. Scores order the candidates of one workload; they have no unit.
  virtual StatusOr<std::vector<float>> Predict(const FeatureMatrix& features) const = 0;
};

// Minus the logarithm of the analytic prior's time, which is one of the features.
std::unique_ptr<CostModel> MakeAnalyticModel();

}  // namespace tilth
