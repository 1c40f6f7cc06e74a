#include "tuner/contenders.h"

#include <limits>

#include "gtest/gtest.h"

namespace tilth {
namespace {

// Two contenders of different roots, of which the first is believed in a little more.
class ContendersTest : public ::testing::Test {
 protected:
  ContendersTest() {
    first_ = contenders_.Enter(Root::kPretrained, 0.65);
    second_ = contenders_.Enter(Root::kAnalytic, 0.60);
  }

  // Candidates with times 1, 2, …, which the second contender orders rightly and the first the wrong way round.
  void ObserveThatTheFirstIsWrong(int rows, int task = 0) {
    for (int i = 0; i < rows; ++i) {
      const float score = static_cast<float>(i);
      contenders_.Observe(task, std::vector<float>{score, -score}, 1 + i);
    }
  }

  int Choose() { return contenders_.Choose({true, true}); }

  Contenders contenders_;
  int first_ = 0, second_ = 0;
};

TEST_F(ContendersTest, TakesTurnsWhileNothingTellsThemApart) {
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(Choose(), first_);
    EXPECT_EQ(Choose(), second_);
  }
}

TEST_F(ContendersTest, DropsTheOneThatOrdersCandidatesWrongly) {
  ObserveThatTheFirstIsWrong(16);
  EXPECT_LT(contenders_.Share(first_), 0.5);
  EXPECT_GT(contenders_.Share(second_), 0.8);
  for (int i = 0; i < 6; ++i) EXPECT_EQ(Choose(), second_);
}

TEST_F(ContendersTest, ForgivesOldErrors) {
  ObserveThatTheFirstIsWrong(16);
  for (int i = 0; i < 2000; ++i) {
    const float score = static_cast<float>(i % 50);
    contenders_.Observe(1, std::vector<float>{-score, score}, 1 + i % 50);
    if (i % 50 == 49) contenders_.BeginEpoch();
  }
  EXPECT_GT(contenders_.Share(first_), 0.9);
  EXPECT_EQ(Choose(), first_);
}

TEST_F(ContendersTest, ComparesCandidatesOfOneTaskOnly) {
  for (int task = 0; task < 16; ++task) ObserveThatTheFirstIsWrong(1, task);
  EXPECT_DOUBLE_EQ(contenders_.Share(first_), 0.65);
}

TEST_F(ContendersTest, ComparesCandidatesOfOneEpochOnly) {
  for (int i = 0; i < 16; ++i) {
    contenders_.Observe(0, std::vector<float>{1.0f + static_cast<float>(i), 0}, 1 + i);
    contenders_.BeginEpoch();
  }
  EXPECT_DOUBLE_EQ(contenders_.Share(first_), 0.65);
}

TEST_F(ContendersTest, TakesAFailureForTheSlowest) {
  contenders_.Observe(0, std::vector<float>{1, 0}, 0);
  contenders_.Observe(0, std::vector<float>{0, 1}, 1e9);
  EXPECT_LT(contenders_.Share(first_), 0.65);
  EXPECT_GT(contenders_.Share(second_), 0.60);
}

TEST_F(ContendersTest, IgnoresDifferencesWithinTheNoise) {
  contenders_.Observe(0, std::vector<float>{1, 0}, 100);
  contenders_.Observe(0, std::vector<float>{0, 1}, 101);
  EXPECT_DOUBLE_EQ(contenders_.Share(first_), 0.65);
}

TEST_F(ContendersTest, PassesOverThoseThatAreNotReady) {
  for (int i = 0; i < 4; ++i) EXPECT_EQ(contenders_.Choose({false, true}), second_);
}

TEST_F(ContendersTest, HasNoEvidenceOfOneThatCannotScoreYetAndInheritsIts) {
  const float none = std::numeric_limits<float>::quiet_NaN();
  for (int i = 0; i < 16; ++i) contenders_.Observe(0, std::vector<float>{none, static_cast<float>(-i)}, 1 + i);
  EXPECT_DOUBLE_EQ(contenders_.Share(first_), 0.65);
  contenders_.Inherit(first_, second_);
  EXPECT_GT(contenders_.Share(first_), contenders_.Share(second_));
  EXPECT_GT(contenders_.Share(second_), 0.8);
}

}  // namespace
}  // namespace tilth
