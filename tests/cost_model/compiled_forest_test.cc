#include "cost_model/compiled_forest.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/rng.h"
#include "cost_model/xgb_model.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tilth {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

FeatureMatrix RandomRows(int rows, int columns, uint64_t seed, double missing_share = 0) {
  Rng rng(seed);
  FeatureMatrix matrix(columns);
  matrix.Resize(rows);
  std::vector<float> row(static_cast<size_t>(columns));
  FeatureMatrix filled(columns);
  for (int i = 0; i < rows; ++i) {
    for (float& value : row) value = rng.Uniform() < missing_share ? kNan : static_cast<float>(rng.Uniform());
    filled.Append(row);
  }
  return filled;
}

std::vector<float> Predictions(const CompiledForest& forest, const FeatureMatrix& rows,
                               const Kernels& kernels = BestKernels()) {
  std::vector<float> predictions(static_cast<size_t>(rows.rows()));
  forest.Predict(rows, predictions, kernels);
  return predictions;
}

// What a forest means, by walking it.
float Walked(const XgboostTrees& trees, const std::vector<float>& row) {
  float sum = trees.base_score;
  for (const Tree& tree : trees.trees) {
    int32_t at = 0;
    while (tree[at].left >= 0) {
      const float value = row[tree[at].feature];
      const bool left = std::isnan(value) ? tree[at].default_left : value < tree[at].threshold;
      at = left ? tree[at].left : tree[at].right;
    }
    sum += tree[at].threshold;
  }
  return sum;
}

// A random tree with about `splits` splits, unbalanced the more the larger `skew` (0 … 1).
Tree RandomTree(int splits, double skew, int columns, Rng& rng) {
  Tree tree(1);
  std::vector<int32_t> leaves = {0};
  for (int i = 0; i < splits; ++i) {
    const size_t pick = rng.Uniform() < skew ? leaves.size() - 1 : rng.Below(leaves.size());
    const int32_t at = leaves[pick];
    leaves.erase(leaves.begin() + static_cast<std::ptrdiff_t>(pick));
    const auto left = static_cast<int32_t>(tree.size());
    tree.resize(tree.size() + 2);
    tree[at] = {left, left + 1, static_cast<int32_t>(rng.Below(columns)), static_cast<float>(rng.Uniform()),
                rng.Below(2) == 0};
    leaves.insert(leaves.end(), {left, left + 1});
  }
  for (int32_t leaf : leaves) tree[leaf].threshold = static_cast<float>(rng.Uniform() - 0.5);
  return tree;
}

void ExpectWalkedOnEveryPath(const XgboostTrees& trees, const FeatureMatrix& rows) {
  const CompiledForest forest(trees);
  std::vector<float> expected;
  for (int i = 0; i < rows.rows(); ++i) expected.push_back(Walked(trees, rows.row(i)));
  for (VectorPath path : AvailableVectorPaths())
    EXPECT_EQ(Predictions(forest, rows, KernelsOf(path)), expected) << NameOf(path);
}

TEST(CompiledForest, EqualsXgboostOnAHundredThousandRows) {
  constexpr int kColumns = 40;
  TrainingSet data;
  data.features = RandomRows(3000, kColumns, 1);
  for (int i = 0; i < 3000; ++i) {
    const auto row = data.features.row(i);
    data.median_ns.push_back(1000 * (1 + 4 * std::pow(row[0] - 0.3, 2) + 2 * row[1] * row[2] + row[3] * row[4]));
    data.group.push_back(i % 3);
  }
  const auto model = XgbModel::Create({.rounds = 120}).value();
  ASSERT_TRUE(model->Update(data).ok());
  const FeatureMatrix rows = RandomRows(100'000, kColumns, 2);
  const std::vector<float> expected = model->PredictByXgboost(rows).value();
  const std::vector<float> predictions = model->Predict(rows).value();
  float worst = 0;
  for (size_t i = 0; i < expected.size(); ++i) worst = std::max(worst, std::abs(expected[i] - predictions[i]));
  EXPECT_LE(worst, 1e-5f);
}

TEST(CompiledForest, EqualsXgboostWhereFeaturesAreMissing) {
  TrainingSet data;
  data.features = RandomRows(800, 6, 3, 0.2);
  for (int i = 0; i < 800; ++i) {
    const float first = data.features.at(i, 0);
    data.median_ns.push_back(std::isnan(first) ? 5 : 1 + first);
    data.group.push_back(0);
  }
  const auto model = XgbModel::Create({.rounds = 30}).value();
  ASSERT_TRUE(model->Update(data).ok());
  const FeatureMatrix rows = RandomRows(1001, 6, 4, 0.2);
  const std::vector<float> expected = model->PredictByXgboost(rows).value();
  const std::vector<float> predictions = model->Predict(rows).value();
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(predictions[i], expected[i], 1e-5);
}

TEST(CompiledForest, EveryPathGivesTheSameBitsForTreesOfAnyShape) {
  constexpr int kColumns = 5;
  Rng rng(5);
  const FeatureMatrix rows = RandomRows(333, kColumns, 6), gaps = RandomRows(100, kColumns, 7, 0.1);
  for (int round = 0; round < 30; ++round) {
    XgboostTrees trees{.num_features = kColumns, .base_score = 0.5f};
    // Single leaves, small trees, full ones, and chains far deeper than a packed tree.
    for (int t = 0; t < 20; ++t)
      trees.trees.push_back(RandomTree(static_cast<int>(rng.Below(60)), rng.Uniform(), kColumns, rng));
    ExpectWalkedOnEveryPath(trees, rows);
    ExpectWalkedOnEveryPath(trees, gaps);
  }
}

TEST(CompiledForest, TakesInfinitiesAndThresholdsThemselvesToTheRight) {
  const Tree tree = {{1, 2, 0, 0.25f, true}, {-1, -1, 0, -1}, {-1, -1, 0, 1}};
  FeatureMatrix rows;
  for (float value :
       {0.25f, 0.2499999f, std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(), kNan})
    rows.Append({&value, 1});
  const CompiledForest forest({.num_features = 1, .base_score = 0, .trees = {tree}});
  for (VectorPath path : AvailableVectorPaths())
    EXPECT_THAT(Predictions(forest, rows, KernelsOf(path)), testing::ElementsAre(1, -1, 1, -1, -1)) << NameOf(path);
}

TEST(CompiledForest, NoTreesPredictTheBaseScore) {
  const CompiledForest forest({.num_features = 2, .base_score = 0.75f});
  EXPECT_THAT(Predictions(forest, RandomRows(3, 2, 8)), testing::Each(0.75f));
}

nlohmann::json SmallModel() {
  return nlohmann::json::parse(R"({"learner":{
    "learner_model_param":{"num_feature":"2","base_score":"5E-1","num_class":"0"},
    "objective":{"name":"reg:squarederror"},
    "gradient_booster":{"name":"gbtree","model":{"trees":[{
      "left_children":[1,-1,-1],"right_children":[2,-1,-1],"split_indices":[1,0,0],
      "split_conditions":[0.5,-1,1],"default_left":[1,0,0]}]}}}})");
}

TEST(XgboostTrees, ReadsASavedModel) {
  const auto trees = ReadXgboostTrees(SmallModel().dump());
  ASSERT_TRUE(trees.ok()) << trees.status();
  EXPECT_EQ(trees->num_features, 2);
  EXPECT_EQ(trees->base_score, 0.5f);
  ASSERT_EQ(trees->trees.size(), 1u);
  EXPECT_EQ(trees->trees[0][0].feature, 1);
  EXPECT_TRUE(trees->trees[0][0].default_left);
  EXPECT_EQ(trees->trees[0][2].threshold, 1.0f);
}

TEST(XgboostTrees, RefusesWhatContradictsItself) {
  const struct {
    const char* pointer;
    nlohmann::json value;
    const char* message;
  } kCases[] = {
      {"/learner/learner_model_param/num_feature", "x", "num_feature is not a number"},
      {"/learner/learner_model_param/num_feature", "-1", "-1 features"},
      {"/learner/learner_model_param/base_score", "inf", "base score inf"},
      {"/learner/gradient_booster/model/trees", 7, "trees is not a list"},
      {"/learner/gradient_booster/model/trees/0", nullptr, "no left_children"},
      {"/learner/gradient_booster/model/trees/0/left_children/0", 3, "node 0 has a child that is not there"},
      {"/learner/gradient_booster/model/trees/0/left_children/0", 0, "do not form a tree"},
      {"/learner/gradient_booster/model/trees/0/right_children/0", 1, "do not form a tree"},
      {"/learner/gradient_booster/model/trees/0/right_children/0", -1, "node 0 has a child that is not there"},
      {"/learner/gradient_booster/model/trees/0/split_indices/0", 2, "feature 2 of 2"},
      {"/learner/gradient_booster/model/trees/0/split_conditions", {1, 2}, "split_conditions is not a list of 3"},
      {"/learner/gradient_booster/model/trees/0/default_left/0", "yes", "default_left has an entry"},
  };
  for (const auto& [pointer, value, message] : kCases) {
    nlohmann::json model = SmallModel();
    model[nlohmann::json::json_pointer(pointer)] = value;
    const auto trees = ReadXgboostTrees(model.dump());
    EXPECT_EQ(trees.status().code(), absl::StatusCode::kInvalidArgument) << pointer;
    EXPECT_THAT(std::string(trees.status().message()), testing::HasSubstr(message)) << pointer;
  }
  for (const char* text : {"", "{", "[]", "7", "{\"learner\":[]}"})
    EXPECT_EQ(ReadXgboostTrees(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
}

TEST(XgboostTrees, RefusesModelsThatAreNoPlainSums) {
  for (const auto& [pointer, value] : std::vector<std::pair<const char*, nlohmann::json>>{
           {"/learner/gradient_booster/name", "dart"},
           {"/learner/objective/name", "binary:logistic"},
           {"/learner/learner_model_param/num_class", "3"},
           {"/learner/gradient_booster/model/trees/0/categories_nodes", {0}}}) {
    nlohmann::json model = SmallModel();
    model[nlohmann::json::json_pointer(pointer)] = value;
    EXPECT_EQ(ReadXgboostTrees(model.dump()).status().code(), absl::StatusCode::kUnimplemented) << pointer;
  }
}

}  // namespace
}  // namespace tilth
