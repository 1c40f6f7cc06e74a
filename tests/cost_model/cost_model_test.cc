// The conformance suite of CostModel: every implementation passes it.
#include "cost_model/cost_model.h"

#include <algorithm>
#include <cmath>

#include "base/rng.h"
#include "cost_model/corrected_prior.h"
#include "cost_model/features.h"
#include "cost_model/forest_pair.h"
#include "cost_model/log_time_model.h"
#include "cost_model/xgb_model.h"
#include "gtest/gtest.h"
#include "tests/cost_model/matmul_nest.h"
#include "tests/cost_model/rank_correlation.h"

namespace tilth {
namespace {

struct Implementation {
  const char* name;
  std::unique_ptr<CostModel> (*make)();
};

class CostModelConformance : public testing::TestWithParam<Implementation> {};

// Nests of one matrix product with seeded tilings, and a time that follows the register tile and the task size.
TrainingSet RandomMatmuls(int count, uint64_t seed) {
  Rng rng(seed);
  TrainingSet data;
  std::vector<float> row(static_cast<size_t>(NumFeatures()));
  for (int i = 0; i < count; ++i) {
    const MatmulTiling tiling = {.task_rows = int64_t{16} << rng.Below(6),
                                 .task_columns = int64_t{32} << rng.Below(5),
                                 .rows = 1 + static_cast<int64_t>(rng.Below(14)),
                                 .vectors = 1 + static_cast<int64_t>(rng.Below(2))};
    ExtractFeatures(MatmulNest(tiling).nest, TestTarget(), row);
    const double registers = static_cast<double>(tiling.rows * tiling.vectors);
    data.Append(row, 1e6 * (1 + 8 / registers + 0.1 * std::abs(std::log2(static_cast<double>(tiling.task_rows)) - 6)),
                0);
  }
  return data;
}

std::vector<double> Negated(std::vector<double> values) {
  for (double& value : values) value = -value;
  return values;
}

TEST_P(CostModelConformance, RanksCandidatesFarBetterThanChanceAfterAnUpdate) {
  const auto model = GetParam().make();
  ASSERT_TRUE(model->Update(RandomMatmuls(200, 1)).ok());
  const TrainingSet unseen = RandomMatmuls(200, 2);
  EXPECT_GT(RankCorrelation(model->Predict(unseen.features).value(), Negated(unseen.median_ns)), 0.5);
}

TEST_P(CostModelConformance, ScoresEveryRowAndOnlyFinite) {
  const auto model = GetParam().make();
  ASSERT_TRUE(model->Update(RandomMatmuls(50, 3)).ok());
  const auto scores = model->Predict(RandomMatmuls(70, 4).features).value();
  ASSERT_EQ(scores.size(), 70u);
  for (float score : scores) EXPECT_TRUE(std::isfinite(score));
}

TEST_P(CostModelConformance, NoRowsGiveNoScores) {
  const auto model = GetParam().make();
  ASSERT_TRUE(model->Update(RandomMatmuls(50, 5)).ok());
  EXPECT_TRUE(model->Predict(FeatureMatrix(NumFeatures())).value().empty());
}

TEST_P(CostModelConformance, SurvivesFailuresAmongTheMeasurements) {
  const auto model = GetParam().make();
  TrainingSet data = RandomMatmuls(60, 6);
  for (int i = 0; i < data.rows(); i += 3) data.median_ns[static_cast<size_t>(i)] = 0;
  ASSERT_TRUE(model->Update(data).ok());
  EXPECT_TRUE(model->Predict(data.features).ok());
}

TEST_P(CostModelConformance, RefusesRowsOfAnotherWidth) {
  const auto model = GetParam().make();
  ASSERT_TRUE(model->Update(RandomMatmuls(50, 7)).ok());
  FeatureMatrix narrow;
  narrow.Append(std::vector<float>(5, 1.0f));
  EXPECT_EQ(model->Predict(narrow).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(CorrectedPrior, IsThePriorBeforeItHasLearnt) {
  const TrainingSet data = RandomMatmuls(30, 8);
  EXPECT_EQ(CorrectedPrior::Create().value()->Predict(data.features).value(),
            MakeAnalyticModel()->Predict(data.features).value());
}

TEST(CorrectedPrior, LearnsWhatThePriorGetsWrong) {
  TrainingSet data = RandomMatmuls(300, 9);
  const std::vector<float> prior = MakeAnalyticModel()->Predict(data.features).value();
  // The truth is the prior, except that one of its inputs has an effect that it does not know.
  const auto& names = FeatureNames();
  const auto column = static_cast<int>(std::find(names.begin(), names.end(), "tile.rows") - names.begin());
  for (int i = 0; i < data.rows(); ++i) {
    const double unknown = data.features.at(i, column) > 2 ? 4 : 1;
    data.median_ns[static_cast<size_t>(i)] = unknown * std::exp2(-static_cast<double>(prior[static_cast<size_t>(i)]));
  }
  const auto model = CorrectedPrior::Create().value();
  ASSERT_TRUE(model->Update(data).ok());
  const auto truth = Negated(data.median_ns);
  EXPECT_GT(RankCorrelation(model->Predict(data.features).value(), truth), RankCorrelation(prior, truth) + 0.1);
  EXPECT_GT(RankCorrelation(model->Predict(data.features).value(), truth), 0.98);
}

INSTANTIATE_TEST_SUITE_P(
    All, CostModelConformance,
    testing::Values(
        Implementation{"analytic", [] { return MakeAnalyticModel(); }},
        Implementation{"corrected", []() -> std::unique_ptr<CostModel> { return CorrectedPrior::Create().value(); }},
        Implementation{"both_forests", []() -> std::unique_ptr<CostModel> { return ForestPair::Create().value(); }},
        Implementation{"log_time", []() -> std::unique_ptr<CostModel> { return LogTimeModel::Create().value(); }},
        Implementation{"xgboost", []() -> std::unique_ptr<CostModel> { return XgbModel::Create().value(); }}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace tilth
