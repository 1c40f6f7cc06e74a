// The trees of an XGBoost model, read from the JSON document that XGBoost saves.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace tilth {

// Node 0 is the root. A row with feature < threshold goes left, else right; one whose feature is NaN goes the default
// way. A leaf has left == -1, and its threshold is its value.
struct TreeNode {
  int32_t left = -1, right = -1;
  int32_t feature = 0;
  float threshold = 0;
  bool default_left = false;
};
using Tree = std::vector<TreeNode>;

struct XgboostTrees {
  int num_features = 0;
  float base_score = 0;  // a prediction is this and the leaf of each tree, added in order
  std::vector<Tree> trees;
};

// Every node of a result is reached from the root on one way, and every feature is below num_features.
// INVALID_ARGUMENT: not such a document, or one that contradicts itself; the message says where. UNIMPLEMENTED: a model
// whose prediction is not a plain sum of leaves (other boosters, several classes, categories, transformed objectives).
StatusOr<XgboostTrees> ReadXgboostTrees(std::string_view json);

}  // namespace tilth
