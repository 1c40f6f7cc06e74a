#include "cost_model/validation.h"

#include <algorithm>
#include <set>

#include "base/rng.h"
#include "cost_model/features.h"
#include "cost_model/xgb_model.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tilth {
namespace {

// `groups` groups of 40 rows whose time follows one feature.
TrainingSet Learnable(int groups) {
  Rng rng(1);
  TrainingSet data;
  std::vector<float> row(static_cast<size_t>(NumFeatures()));
  for (int group = 0; group < groups; ++group) {
    for (int i = 0; i < 40; ++i) {
      for (float& value : row) value = static_cast<float>(rng.Uniform());
      data.Append(row, 1000 * (1 + group) * (1 + static_cast<double>(row[3])), group);
    }
  }
  return data;
}

std::vector<Fold> ByGroup(const TrainingSet& data, int groups, int folds) {
  std::vector<int> units;
  for (int group = 0; group < groups; ++group) units.push_back(group);
  return SplitUnits(data, units, folds, 7).value();
}

TEST(SplitRows, TestsEveryRowOnceAndTrainsOnTheOthers) {
  const TrainingSet data = Learnable(2);
  const std::vector<Fold> folds = SplitRows(data, 5, 7);
  ASSERT_EQ(folds.size(), 5u);
  std::set<int> tested;
  for (const Fold& fold : folds) {
    EXPECT_EQ(fold.test.size(), 16u);
    EXPECT_EQ(fold.train.size(), 64u);
    tested.insert(fold.test.begin(), fold.test.end());
    for (const int row : fold.test) EXPECT_FALSE(std::binary_search(fold.train.begin(), fold.train.end(), row));
  }
  EXPECT_EQ(tested.size(), 80u);
}

TEST(SplitUnits, NeverSplitsAUnit) {
  const TrainingSet data = Learnable(7);
  for (const Fold& fold : ByGroup(data, 7, 3)) {
    std::set<int> trained, tested;
    for (const int row : fold.train) trained.insert(data.group[static_cast<size_t>(row)]);
    for (const int row : fold.test) tested.insert(data.group[static_cast<size_t>(row)]);
    for (const int group : tested) EXPECT_FALSE(trained.contains(group));
    EXPECT_EQ(trained.size() + tested.size(), 7u);
  }
}

TEST(SplitUnits, HasOneFoldPerUnitIfThereAreFew) { EXPECT_EQ(ByGroup(Learnable(2), 2, 5).size(), 2u); }

TEST(SplitUnits, RefusesASingleUnit) {
  const auto folds = SplitUnits(Learnable(2), std::vector<int>{4, 4}, 5, 7);
  EXPECT_EQ(folds.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(folds.status().message()), testing::HasSubstr("nothing to hold out"));
}

TEST(CrossValidate, FindsThatALearnableRelationIsLearnt) {
  const TrainingSet data = Learnable(5);
  const auto figures = CrossValidate(data, ByGroup(data, 5, 5), [] { return XgbModel::Create(); }).value();
  EXPECT_EQ(figures.groups, 5);
  EXPECT_EQ(figures.rows, 200);
  EXPECT_GT(figures.pairwise_accuracy, 0.9);
}

TEST(WithoutBlock, HidesWhatTheBlockKnows) {
  const TrainingSet data = Learnable(5);
  const std::string block = FeatureNames()[3].substr(0, FeatureNames()[3].find('.'));
  const auto blocks = FeatureBlocks();
  EXPECT_THAT(blocks, testing::Contains(block));
  EXPECT_EQ(std::set<std::string>(blocks.begin(), blocks.end()).size(), blocks.size());
  const TrainingSet blind = WithoutBlock(data, block);
  const auto figures = CrossValidate(blind, ByGroup(data, 5, 5), [] { return XgbModel::Create(); }).value();
  EXPECT_LT(figures.pairwise_accuracy, 0.7);
}

TEST(WithTrainingRows, DrawsSoManyAndKeepsTheTest) {
  const TrainingSet data = Learnable(2);
  const Fold fold = SplitRows(data, 5, 7).front();
  const Fold smaller = WithTrainingRows(fold, 10, 3);
  EXPECT_EQ(smaller.train.size(), 10u);
  EXPECT_EQ(smaller.test, fold.test);
  EXPECT_TRUE(std::includes(fold.train.begin(), fold.train.end(), smaller.train.begin(), smaller.train.end()));
  EXPECT_EQ(WithTrainingRows(fold, 1000, 3).train, fold.train);
}

}  // namespace
}  // namespace tilth
