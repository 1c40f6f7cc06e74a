#include "cost_model/log_time_model.h"

#include <algorithm>
#include <cmath>

#include "base/rng.h"
#include "cost_model/features.h"
#include "gtest/gtest.h"
#include "tests/cost_model/rank_correlation.h"

namespace tilth {
namespace {

// Two groups whose times follow the same feature and differ a thousandfold in size.
TrainingSet TwoSizes(uint64_t seed) {
  Rng rng(seed);
  TrainingSet data;
  std::vector<float> row(static_cast<size_t>(NumFeatures()));
  for (int i = 0; i < 400; ++i) {
    for (float& value : row) value = static_cast<float>(rng.Uniform());
    data.Append(row, (i % 2 == 0 ? 1e3 : 1e6) * std::exp2(2 * static_cast<double>(row[5])), i % 2);
  }
  return data;
}

TEST(LogTimeModel, LearnsDifferencesWithinGroupsWhateverTheirSize) {
  const auto model = LogTimeModel::Create().value();
  ASSERT_TRUE(model->Update(TwoSizes(1)).ok());
  const TrainingSet unseen = TwoSizes(2);
  const std::vector<float> scores = model->Predict(unseen.features).value();
  std::vector<float> truth;
  for (int i = 0; i < unseen.rows(); ++i) truth.push_back(-unseen.features.at(i, 5));
  EXPECT_GT(RankCorrelation(scores, truth), 0.95);
}

TEST(LogTimeModel, PredictsBinaryLogarithms) {
  const auto model = LogTimeModel::Create().value();
  ASSERT_TRUE(model->Update(TwoSizes(1)).ok());
  const TrainingSet unseen = TwoSizes(2);
  const std::vector<float> scores = model->Predict(unseen.features).value();
  const auto [lowest, highest] = std::minmax_element(scores.begin(), scores.end());
  EXPECT_NEAR(*highest - *lowest, 2, 0.3);
}

TEST(LogTimeModel, TakesAFailureForTheWorst) {
  TrainingSet data = TwoSizes(3);
  for (int i = 0; i < data.rows(); ++i) {
    if (data.features.at(i, 7) > 0.7f) data.median_ns[static_cast<size_t>(i)] = 0;
  }
  const auto model = LogTimeModel::Create().value();
  ASSERT_TRUE(model->Update(data).ok());
  const TrainingSet unseen = TwoSizes(4);
  const std::vector<float> scores = model->Predict(unseen.features).value();
  double failing = 0, working = 0;
  int failures = 0;
  for (int i = 0; i < unseen.rows(); ++i) {
    const bool fails = unseen.features.at(i, 7) > 0.7f;
    (fails ? failing : working) += static_cast<double>(scores[static_cast<size_t>(i)]);
    failures += fails ? 1 : 0;
  }
  EXPECT_LT(failing / failures, working / (unseen.rows() - failures) - 0.5);
}

TEST(LogTimeModel, LearnsNothingFromAGroupOfFailures) {
  TrainingSet data = TwoSizes(5);
  std::fill(data.median_ns.begin(), data.median_ns.end(), 0.0);
  const auto model = LogTimeModel::Create().value();
  ASSERT_TRUE(model->Update(data).ok());
  const std::vector<float> scores = model->Predict(data.features).value();
  for (const float score : scores) EXPECT_NEAR(score, 0, 1e-3);
}

}  // namespace
}  // namespace tilth
