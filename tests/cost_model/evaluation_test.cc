#include "cost_model/evaluation.h"

#include "gtest/gtest.h"

namespace tilth {
namespace {

// Rows of group 0 with these times; features do not matter.
TrainingSet Times(const std::vector<double>& times, int group = 0) {
  TrainingSet data;
  for (const double time : times) data.Append(std::vector<float>{0}, time, group);
  return data;
}

std::vector<double> Rising(int count, double step = 1) {
  std::vector<double> times;
  for (int i = 0; i < count; ++i) times.push_back(100 + step * i);
  return times;
}

std::vector<float> Falling(int count) {
  std::vector<float> scores;
  for (int i = 0; i < count; ++i) scores.push_back(static_cast<float>(-i));
  return scores;
}

TEST(EvaluateRanking, PerfectOrderIsOneEverywhere) {
  const RankingFigures figures = EvaluateRanking(Falling(100), Times(Rising(100)));
  EXPECT_EQ(figures.groups, 1);
  EXPECT_EQ(figures.rows, 100);
  EXPECT_DOUBLE_EQ(figures.pairwise_accuracy, 1);
  EXPECT_DOUBLE_EQ(figures.accuracy_apart, 1);
  EXPECT_DOUBLE_EQ(figures.peak_at_1, 1);
  EXPECT_DOUBLE_EQ(figures.peak_at_5, 1);
  EXPECT_DOUBLE_EQ(figures.recall_at_30, 1);
}

TEST(EvaluateRanking, ReversedOrderHasNoPairRight) {
  std::vector<float> scores = Falling(100);
  for (float& score : scores) score = -score;
  const RankingFigures figures = EvaluateRanking(scores, Times(Rising(100)));
  EXPECT_DOUBLE_EQ(figures.pairwise_accuracy, 0);
  EXPECT_DOUBLE_EQ(figures.peak_at_1, 100.0 / 199);
  EXPECT_DOUBLE_EQ(figures.peak_at_5, 100.0 / 195);
  EXPECT_DOUBLE_EQ(figures.recall_at_30, 0);
}

TEST(EvaluateRanking, EqualScoresAreWorthAGuessAndNoCreditAtThePeak) {
  const RankingFigures figures = EvaluateRanking(std::vector<float>(10, 0.0f), Times(Rising(10)));
  EXPECT_DOUBLE_EQ(figures.pairwise_accuracy, 0.5);
  EXPECT_DOUBLE_EQ(figures.peak_at_1, 100.0 / 109);
}

TEST(EvaluateRanking, PairsWithinTheNoiseCountOnlyInTheFirstFigure) {
  std::vector<double> times = Rising(8, 100);
  times[1] = 101;  // within 3 % of times[0]
  std::vector<float> scores = Falling(8);
  std::swap(scores[0], scores[1]);
  const RankingFigures figures = EvaluateRanking(scores, Times(times));
  EXPECT_DOUBLE_EQ(figures.pairwise_accuracy, 27.0 / 28);
  EXPECT_DOUBLE_EQ(figures.accuracy_apart, 1);
}

TEST(EvaluateRanking, LeavesOutFailuresAndSmallGroups) {
  TrainingSet data = Times(Rising(kFewestRows));
  std::vector<float> scores = Falling(kFewestRows);
  data.Append(std::vector<float>{0}, 0, 0);
  scores.push_back(100);
  for (int i = 0; i < kFewestRows - 1; ++i) {
    data.Append(std::vector<float>{0}, 100 + i, 1);
    scores.push_back(static_cast<float>(i));
  }
  const RankingFigures figures = EvaluateRanking(scores, data);
  EXPECT_EQ(figures.groups, 1);
  EXPECT_DOUBLE_EQ(figures.pairwise_accuracy, 1);
}

TEST(EvaluateRanking, GroupsCountTheSameWhateverTheirSize) {
  TrainingSet data = Times(Rising(100));
  std::vector<float> scores = Falling(100);
  for (int i = 0; i < 10; ++i) {
    data.Append(std::vector<float>{0}, 100 + i, 1);
    scores.push_back(static_cast<float>(i));
  }
  EXPECT_DOUBLE_EQ(EvaluateRanking(scores, data).pairwise_accuracy, 0.5);
}

TEST(Combine, OfAnythingWithNothingIsTheSame) {
  const RankingFigures some = EvaluateRanking(Falling(70), Times(Rising(70)));
  const RankingFigures sum = Combine(RankingFigures(), Combine(some, RankingFigures()));
  EXPECT_EQ(sum.groups, 1);
  EXPECT_DOUBLE_EQ(sum.pairwise_accuracy, 1);
  EXPECT_DOUBLE_EQ(sum.recall_at_30, 1);
}

}  // namespace
}  // namespace tilth
