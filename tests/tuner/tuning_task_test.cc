#include "tuner/tuning_task.h"

#include "gtest/gtest.h"
#include "tests/tuner/fixtures.h"

namespace tilth {
namespace {

class TuningTaskTest : public ::testing::Test {
 protected:
  Candidate At(uint64_t index) { return task_.space().At(index); }
  void Add(uint64_t index, double median_ns, const std::string& origin = "model",
           MeasureErrorKind error = MeasureErrorKind::kNone, bool own = true) {
    task_.AddResult(At(index), origin, median_ns, error, own);
  }
  TuningTask task_{testing::MatmulSpace(), 2};
};

TEST_F(TuningTaskTest, BestAreTheFastestInOrder) {
  Add(1, 300);
  Add(2, 100);
  Add(3, 200);
  const auto best = task_.Best(2);
  ASSERT_EQ(best.size(), 2u);
  EXPECT_EQ(best[0].candidate, At(2));
  EXPECT_EQ(best[1].candidate, At(3));
  EXPECT_EQ(task_.best_ns(), 100);
}

TEST_F(TuningTaskTest, LaterMeasurementReplacesTheTime) {
  Add(1, 100);
  Add(2, 120);
  Add(1, 130);
  EXPECT_EQ(task_.best_ns(), 120);
  EXPECT_EQ(task_.measured().size(), 2u);
}

TEST_F(TuningTaskTest, ComparisonBeatsALuckySingleTime) {
  Add(1, 100);
  Add(2, 101);
  Add(3, 102);
  Add(1, 120, kOriginFinal);
  Add(2, 115, kOriginFinal);
  const auto best = task_.Best(3);
  ASSERT_EQ(best.size(), 3u);
  EXPECT_EQ(best[0].candidate, At(2));
  EXPECT_EQ(best[1].candidate, At(1));
  EXPECT_EQ(best[2].candidate, At(3));
  Add(4, 110);  // since the comparison: a rival again
  EXPECT_EQ(task_.best_ns(), 110);
}

TEST_F(TuningTaskTest, WrongAnswerDisqualifiesForGood) {
  Add(1, 100);
  Add(2, 150);
  Add(1, 0, kOriginFinal, MeasureErrorKind::kWrongAnswer);
  Add(1, 90, kOriginFinal);
  EXPECT_EQ(task_.best_ns(), 150);
}

TEST_F(TuningTaskTest, TransientFailureKeepsTheTime) {
  Add(1, 100);
  Add(1, 0, kOriginFinal, MeasureErrorKind::kRunTimeout);
  EXPECT_EQ(task_.best_ns(), 100);
}

TEST_F(TuningTaskTest, CountsOwnTrialsAndFailuresOnly) {
  Add(1, 100, kOriginDefault);
  Add(2, 0, "model", MeasureErrorKind::kCompile);
  Add(3, 100, kOriginDuplicate);
  Add(4, 100, "model", MeasureErrorKind::kNone, /*own=*/false);
  Add(1, 100, kOriginFinal);
  EXPECT_EQ(task_.trials(), 2);
  EXPECT_EQ(task_.num_failures(), 1);
  EXPECT_EQ(task_.failures().at(MeasureErrorKind::kCompile), 1);
}

TEST_F(TuningTaskTest, DuplicatesAreTakenButNeverTheBest) {
  Add(1, 100);
  Add(2, 100, kOriginDuplicate);
  EXPECT_EQ(task_.Best(5).size(), 1u);
  EXPECT_TRUE(task_.taken().Contains(At(2)));
}

TEST_F(TuningTaskTest, IsFinalisedUntilSomethingNewIsMeasured) {
  Add(1, 100);
  EXPECT_FALSE(task_.finalised());
  Add(1, 101, kOriginFinal);
  EXPECT_TRUE(task_.finalised());
  Add(2, 90);
  EXPECT_FALSE(task_.finalised());
}

TEST_F(TuningTaskTest, DefaultTimeIsThatOfTheSpacesDefault) {
  EXPECT_EQ(task_.default_ns(), 0);
  task_.AddResult(task_.space().Default(), kOriginDefault, 500, MeasureErrorKind::kNone, true);
  EXPECT_EQ(task_.default_ns(), 500);
}

}  // namespace
}  // namespace tilth
