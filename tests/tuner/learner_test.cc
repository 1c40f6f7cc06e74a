#include "tuner/learner.h"

#include <cmath>

#include "base/rng.h"
#include "cost_model/features.h"
#include "cost_model/log_time_model.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cost_model/matmul_nest.h"
#include "tests/tuner/learner_replay.h"

namespace tilth {
namespace {

// Measured candidates of `tasks` matrix products, whose times follow the register tile and the size of tasks.
TrainingSet Matmuls(int tasks, int candidates, uint64_t seed) {
  Rng rng(seed);
  TrainingSet data;
  std::vector<float> row(static_cast<size_t>(NumFeatures()));
  for (int task = 0; task < tasks; ++task) {
    for (int i = 0; i < candidates; ++i) {
      const MatmulTiling tiling = {.task_rows = int64_t{16} << rng.Below(6),
                                   .task_columns = int64_t{32} << rng.Below(5),
                                   .rows = 1 + static_cast<int64_t>(rng.Below(14)),
                                   .vectors = 1 + static_cast<int64_t>(rng.Below(2))};
      ExtractFeatures(MatmulNest(tiling).nest, TestTarget(), row);
      const double registers = static_cast<double>(tiling.rows * tiling.vectors);
      const double block = std::abs(std::log2(static_cast<double>(tiling.task_rows)) - 6);
      data.Append(row, 1e5 * (1 + task) * (1 + 8 / registers + 0.2 * block + 0.02 * rng.Uniform()), task);
    }
  }
  return data;
}

std::shared_ptr<const CostModel> ModelOf(const TrainingSet& data) {
  std::unique_ptr<LogTimeModel> model = LogTimeModel::Create({.rounds = 50}).value();
  EXPECT_TRUE(model->Update(data).ok());
  return model;
}

// What was fast is said to have been slow.
TrainingSet Reversed(TrainingSet data) {
  for (double& time : data.median_ns) time = 1e12 / time;
  return data;
}

TrainingSet Shuffled(TrainingSet data) {
  Rng rng(5);
  for (size_t i = data.median_ns.size(); i > 1; --i) {
    const size_t j = rng.Below(i);
    if (data.group[i - 1] == data.group[j]) std::swap(data.median_ns[i - 1], data.median_ns[j]);
  }
  return data;
}

// Trials to 97 % of the best, the sum of a few replays on tasks that no model has seen.
int Trials(const std::shared_ptr<const CostModel>& pretrained) {
  int trials = 0;
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    LearnerReplayOptions options;
    options.trials_per_task = 24;
    options.seed = seed;
    trials += ReplayLearner(Matmuls(4, 100, 10 + seed), {.pretrained = pretrained}, options)->TrialsTo(0.97);
  }
  return trials;
}

TEST(Learner, BeginsWithThePretrainedModelAndThePriorInTurns) {
  const TrainingSet data = Matmuls(1, 20, 1);
  const auto pretrained = ModelOf(data);
  const auto learner = Learner::Create({.pretrained = pretrained}).value();
  EXPECT_EQ(learner->Choose(), pretrained);
  EXPECT_EQ(learner->Choose()->name(), MakeAnalyticModel()->name());
}

TEST(Learner, BeginsWithThePriorIfThereIsNoOtherModel) {
  const auto learner = Learner::Create().value();
  EXPECT_EQ(learner->Choose()->name(), MakeAnalyticModel()->name());
  EXPECT_EQ(learner->Choose()->name(), MakeAnalyticModel()->name());
}

TEST(Learner, UsesTheSameModelsAfterTheSameMeasurementsWheneverTheyAreReady) {
  const TrainingSet data = Matmuls(3, 20, 2), unseen = Matmuls(1, 40, 3);
  const auto pretrained = ModelOf(Matmuls(3, 60, 4));
  std::vector<std::vector<float>> scores[2];
  for (auto& own : scores) {
    const auto learner = Learner::Create({.pretrained = pretrained}).value();
    for (int row = 0; row < data.rows(); ++row) {
      learner->Add(data.group[static_cast<size_t>(row)], data.features.row(row),
                   data.median_ns[static_cast<size_t>(row)]);
      ASSERT_TRUE(learner->Refresh().ok());
      if (row % 10 == 9) own.push_back(learner->Choose()->Predict(unseen.features).value());
    }
  }
  EXPECT_EQ(scores[0], scores[1]);
}

TEST(Learner, LearnsAtOnceFromASessionThatContinues) {
  const TrainingSet data = Matmuls(3, 60, 2);
  const auto learner = Learner::Create().value();
  for (int row = 0; row < data.rows(); ++row) {
    learner->Add(data.group[static_cast<size_t>(row)], data.features.row(row),
                 data.median_ns[static_cast<size_t>(row)]);
  }
  ASSERT_TRUE(learner->Refresh().ok());
  EXPECT_NE(learner->Choose()->name(), MakeAnalyticModel()->name());
}

TEST(Learner, ReportsAModelOfOtherFeatures) {
  TrainingSet narrow;
  for (int i = 0; i < 20; ++i) narrow.Append(std::vector<float>{static_cast<float>(i), 1}, 1 + i, 0);
  const auto learner = Learner::Create({.pretrained = ModelOf(narrow)}).value();
  const TrainingSet data = Matmuls(1, 1, 1);
  learner->Add(0, data.features.row(0), 1);
  EXPECT_EQ(learner->Refresh().code(), absl::StatusCode::kInvalidArgument);
}

TEST(Learner, APretrainedModelSavesTrials) { EXPECT_LT(Trials(ModelOf(Matmuls(6, 200, 1))), 0.9 * Trials(nullptr)); }

TEST(Learner, AWrongPretrainedModelCostsLittle) {
  const int without = Trials(nullptr);
  EXPECT_LE(Trials(ModelOf(Shuffled(Matmuls(6, 200, 1)))), 1.05 * without);
  EXPECT_LE(Trials(ModelOf(Reversed(Matmuls(6, 200, 1)))), 1.15 * without);
}

TEST(ReplayLearner, NeedsATaskWithEnoughCandidates) {
  const auto replay = ReplayLearner(Matmuls(3, 20, 1), {}, {});
  EXPECT_EQ(replay.status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace tilth
