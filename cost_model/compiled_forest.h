// A forest of decision trees laid out for evaluating millions of rows a second.
#pragma once

#include <span>
#include <vector>

#include "base/status.h"
#include "cost_model/feature_matrix.h"
#include "cost_model/vector_path.h"
#include "cost_model/xgboost_trees.h"

namespace tilth {

// The predictions of XGBoost's own predictor: the same leaves, added in the same order. A plain value; const methods
// are safe to call from several threads.
class CompiledForest {
 public:
  // `trees` as ReadXgboostTrees gives them.
  explicit CompiledForest(XgboostTrees trees);

  int num_features() const { return trees_.num_features; }
  int num_trees() const { return static_cast<int>(trees_.trees.size()); }

  // One prediction per row, into `predictions`, which has that size. The rows have num_features() columns; a NaN is a
  // missing value. All kernels give the same bits.
  void Predict(const FeatureMatrix& features, std::span<float> predictions,
               const Kernels& kernels = BestKernels()) const;

 private:
  // Neighbouring trees that fit PackedTree, or a single one that is too deep and is walked node by node.
  struct Run {
    int first_tree = 0, num_trees = 0;
    int first_packed = -1;  // -1: walked
  };
  float Walk(const float* row) const;
  void CorrectMissing(const float* block, std::span<float> predictions) const;

  XgboostTrees trees_;
  std::vector<int> used_features_;
  std::vector<Run> runs_;
  std::vector<PackedTree> packed_;
};

}  // namespace tilth
