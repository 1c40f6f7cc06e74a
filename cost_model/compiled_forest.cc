#include "cost_model/compiled_forest.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace tilth {
namespace {

constexpr int kRows = FeatureMatrix::kBlockRows;
static_assert(kRows == kKernelRows);

int DepthOf(const Tree& tree) {
  int deepest = 0;
  std::vector<std::pair<int32_t, int>> open = {{0, 0}};
  while (!open.empty()) {
    const auto [at, depth] = open.back();
    open.pop_back();
    deepest = std::max(deepest, depth);
    const TreeNode& node = tree[static_cast<size_t>(at)];
    if (node.left < 0) continue;
    open.emplace_back(node.left, depth + 1);
    open.emplace_back(node.right, depth + 1);
  }
  return deepest;
}

// Copies the subtree at `from` to heap position `to`; a leaf above the bottom becomes a subtree of equal leaves.
void Pack(const Tree& tree, int32_t from, int to, PackedTree* packed) {
  const TreeNode& node = tree[static_cast<size_t>(from)];
  if (to >= PackedTree::kNodes) {
    packed->leaf[to - PackedTree::kNodes] = node.threshold;
    return;
  }
  const bool is_leaf = node.left < 0;
  packed->feature[to] = is_leaf ? 0 : node.feature * kRows;
  packed->threshold[to] = is_leaf ? std::numeric_limits<float>::infinity() : node.threshold;
  Pack(tree, is_leaf ? from : node.left, 2 * to, packed);
  Pack(tree, is_leaf ? from : node.right, 2 * to + 1, packed);
}

// The leaf that the row beginning at `row` (its features kRows apart) reaches.
float LeafOf(const Tree& tree, const float* row) {
  const TreeNode* node = tree.data();
  while (node->left >= 0) {
    const float value = row[node->feature * kRows];
    const bool left = std::isnan(value) ? node->default_left : value < node->threshold;
    node = tree.data() + (left ? node->left : node->right);
  }
  return node->threshold;
}

}  // namespace

CompiledForest::CompiledForest(XgboostTrees trees) : trees_(std::move(trees)) {
  std::vector<bool> is_used(static_cast<size_t>(trees_.num_features));
  for (int t = 0; t < num_trees(); ++t) {
    const Tree& tree = trees_.trees[static_cast<size_t>(t)];
    for (const TreeNode& node : tree) {
      if (node.left >= 0) is_used[static_cast<size_t>(node.feature)] = true;
    }
    if (DepthOf(tree) > PackedTree::kDepth) {
      runs_.push_back({t, 1, -1});
      continue;
    }
    if (runs_.empty() || runs_.back().first_packed < 0) runs_.push_back({t, 0, static_cast<int>(packed_.size())});
    ++runs_.back().num_trees;
    packed_.emplace_back();
    packed_.back().feature[0] = 0;
    packed_.back().threshold[0] = 0;
    Pack(tree, 0, 1, &packed_.back());
  }
  for (int f = 0; f < trees_.num_features; ++f) {
    if (is_used[static_cast<size_t>(f)]) used_features_.push_back(f);
  }
}

float CompiledForest::Walk(const float* row) const {
  float sum = trees_.base_score;
  for (const Tree& tree : trees_.trees) sum += LeafOf(tree, row);
  return sum;
}

// Packed trees know no default ways; rows that miss a feature, which are rare, are walked instead.
void CompiledForest::CorrectMissing(const float* block, std::span<float> predictions) const {
  bool misses[kRows] = {};
  for (int feature : used_features_) {
    const float* values = block + feature * kRows;
    for (int row = 0; row < kRows; ++row) misses[row] |= values[row] != values[row];
  }
  for (size_t row = 0; row < predictions.size(); ++row) {
    if (misses[row]) predictions[row] = Walk(block + row);
  }
}

void CompiledForest::Predict(const FeatureMatrix& features, std::span<float> predictions,
                             const Kernels& kernels) const {
  TILTH_CHECK(static_cast<int>(predictions.size()) == features.rows());
  TILTH_CHECK(features.rows() == 0 || features.columns() == num_features());
  const int64_t stride = static_cast<int64_t>(features.columns()) * kRows;
  constexpr int kBlocksAtOnce = 4;  // as many as stay in the first-level cache
  float sums[kBlocksAtOnce * kRows];
  for (int first = 0; first < features.num_blocks(); first += kBlocksAtOnce) {
    const int num_blocks = std::min(kBlocksAtOnce, features.num_blocks() - first);
    const float* blocks = features.block(first);
    std::fill_n(sums, num_blocks * kRows, trees_.base_score);
    for (const Run& run : runs_) {
      if (run.first_packed >= 0) {
        kernels.add_trees(&packed_[static_cast<size_t>(run.first_packed)], run.num_trees, blocks, stride, num_blocks,
                          sums);
        continue;
      }
      const Tree& tree = trees_.trees[static_cast<size_t>(run.first_tree)];
      for (int row = 0; row < num_blocks * kRows; ++row)
        sums[row] += LeafOf(tree, blocks + row / kRows * stride + row % kRows);
    }
    const int num_rows = std::min(num_blocks * kRows, features.rows() - first * kRows);
    const std::span<float> out = predictions.subspan(static_cast<size_t>(first * kRows), static_cast<size_t>(num_rows));
    std::copy_n(sums, num_rows, out.begin());
    for (int b = 0; b < num_blocks; ++b) {
      const auto begin = static_cast<size_t>(b * kRows);
      CorrectMissing(blocks + b * stride, out.subspan(begin, std::min(out.size() - begin, size_t{kRows})));
    }
  }
}

}  // namespace tilth
