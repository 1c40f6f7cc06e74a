#include "cost_model/xgb_model.h"

#include <cmath>

#include "base/rng.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/cost_model/rank_correlation.h"

namespace tilth {
namespace {

constexpr int kColumns = 12;

// A time that depends on a few columns, with an interaction; the rest is noise. Group 1 is ten times slower than group
// 0.
TrainingSet SyntheticSet(int rows, uint64_t seed) {
  Rng rng(seed);
  TrainingSet data;
  for (int i = 0; i < rows; ++i) {
    std::vector<float> row(kColumns);
    for (float& value : row) value = static_cast<float>(rng.Uniform());
    const double time = 1 + 4 * std::pow(row[0] - 0.3, 2) + 2 * row[1] * row[2] + (row[3] > 0.7 ? 1 : 0);
    data.Append(row, 1000 * time * (i % 2 == 0 ? 1 : 10), i % 2);
  }
  return data;
}

std::vector<double> Speeds(const TrainingSet& data) {
  std::vector<double> speeds;
  for (int i = 0; i < data.rows(); ++i)
    speeds.push_back((i % 2 == 0 ? 1 : 10) / data.median_ns[static_cast<size_t>(i)]);
  return speeds;
}

std::unique_ptr<XgbModel> Trained(const TrainingSet& data) {
  auto model = XgbModel::Create().value();
  EXPECT_TRUE(model->Update(data).ok());
  return model;
}

TEST(XgbModel, RanksUnseenRowsOfALearntFunction) {
  const auto model = Trained(SyntheticSet(600, 1));
  const TrainingSet unseen = SyntheticSet(400, 2);
  EXPECT_GT(RankCorrelation(model->Predict(unseen.features).value(), Speeds(unseen)), 0.9);
}

TEST(XgbModel, ScoresFailuresBelowSuccesses) {
  TrainingSet data = SyntheticSet(300, 3);
  for (int i = 0; i < data.rows(); ++i) {
    if (data.features.at(i, 5) > 0.5f) data.median_ns[static_cast<size_t>(i)] = 0;
  }
  const auto model = Trained(data);
  FeatureMatrix rows;
  std::vector<float> row(kColumns, 0.5f);
  row[5] = 0.1f;
  rows.Append(row);
  row[5] = 0.9f;
  rows.Append(row);
  const auto scores = model->Predict(rows).value();
  EXPECT_GT(scores[0], scores[1] + 0.1f);
}

TEST(XgbModel, SavedAndLoadedModelPredictsTheSame) {
  const auto model = Trained(SyntheticSet(300, 4));
  const auto loaded = XgbModel::FromJson(model->ToJson().value());
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  const TrainingSet unseen = SyntheticSet(100, 5);
  EXPECT_EQ(model->Predict(unseen.features).value(), (*loaded)->Predict(unseen.features).value());
}

TEST(XgbModel, SameDataGivesTheSameModel) {
  const TrainingSet data = SyntheticSet(200, 6);
  EXPECT_EQ(Trained(data)->Predict(data.features).value(), Trained(data)->Predict(data.features).value());
}

TEST(XgbModel, LoadingRefusesWhatIsNoModel) {
  for (const char* text : {"", "{", "[]", "{\"feature_version\":1}", "{\"feature_version\":\"x\",\"model\":{}}",
                           "{\"feature_version\":1,\"model\":{}}"}) {
    EXPECT_EQ(XgbModel::FromJson(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
  EXPECT_THAT(std::string(XgbModel::FromJson("{\"feature_version\":999,\"model\":{}}").status().message()),
              testing::HasSubstr("feature version 999"));
}

TEST(XgbModel, LoadingRefusesForestsWithPartsMissing) {
  const auto document = nlohmann::json::parse(Trained(SyntheticSet(100, 7))->ToJson().value());
  const nlohmann::json::json_pointer tree("/model/learner/gradient_booster/model/trees/0");
  for (const auto& [member, value] : document[tree].items()) {
    if (!value.is_array()) continue;
    nlohmann::json damaged = document;
    damaged[tree][member] = {1};
    const auto loaded = XgbModel::FromJson(damaged.dump());
    // What is not needed may be anything.
    if (!loaded.ok()) continue;
    EXPECT_EQ((*loaded)->Predict(SyntheticSet(10, 8).features).value().size(), 10u) << member;
  }
  nlohmann::json damaged = document;
  damaged[tree]["split_conditions"][0] = 1e300;
  EXPECT_EQ(XgbModel::FromJson(damaged.dump()).status().code(), absl::StatusCode::kInvalidArgument);
  damaged = document;
  damaged[tree]["split_indices"] = {1};
  EXPECT_EQ(XgbModel::FromJson(damaged.dump()).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(XgbModel, PredictRefusesRowsOfAnotherWidth) {
  const auto model = Trained(SyntheticSet(100, 7));
  FeatureMatrix narrow;
  narrow.Append(std::vector<float>(3, 0.0f));
  EXPECT_EQ(model->Predict(narrow).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace tilth
