#include "tuner/recorded_measurer.h"

#include "gtest/gtest.h"
#include "tests/tuner/fixtures.h"

namespace tilth {
namespace {

class RecordedMeasurerTest : public ::testing::Test {
 protected:
  RecordedMeasurerTest() {
    tasks_.emplace_back(testing::MatmulSpace(), 1);
    recorded_.devices.push_back({.fingerprint = "device", .device_class = "local"});
    for (const uint64_t index : {5, 3, 9}) AddRow(index, "model", 100.0 * static_cast<double>(index));
  }

  void AddRow(uint64_t index, const std::string& origin, double ns) {
    TuningRecord record;
    record.trial_id = StrCat("trial-", recorded_.records.size());
    record.workload_hash = tasks_[0].workload_hash();
    record.decisions = ToJson(tasks_[0].space().ToDecisions(tasks_[0].space().At(index)));
    record.origin = origin;
    record.median_ns = ns;
    recorded_.records.push_back(record);
  }

  MeasureJob Job(uint64_t index, const std::string& origin = "model") {
    MeasureJob job;
    job.space = tasks_[0].shared_space();
    job.candidate = tasks_[0].space().At(index);
    job.origin = origin;
    return job;
  }

  // Trial ids in the order of their outcomes, "?" for one that is not recorded.
  std::vector<std::string> Drain(Measurer* measurer) {
    std::vector<std::string> ids;
    while (measurer->UnderWay() > 0) {
      const auto outcomes = measurer->Wait(0);
      EXPECT_TRUE(outcomes.ok()) << outcomes.status();
      for (const MeasureOutcome& outcome : *outcomes) {
        EXPECT_EQ(outcome.unrecorded, outcome.recorded == nullptr);
        EXPECT_EQ(outcome.unrecorded, !outcome.result.status.ok());
        ids.push_back(outcome.unrecorded ? "?" : outcome.recorded->trial_id);
      }
    }
    return ids;
  }

  std::vector<TuningTask> tasks_;
  RecordedSession recorded_;
};

TEST_F(RecordedMeasurerTest, AnswersInTheOrderOfTheRecording) {
  const auto measurer = MakeRecordedMeasurer(recorded_, tasks_);
  for (const uint64_t index : {9, 3, 5}) measurer->Enqueue(Job(index));
  EXPECT_EQ(measurer->UnderWay(), 3u);
  EXPECT_EQ(Drain(measurer.get()), (std::vector<std::string>{"trial-0", "trial-1", "trial-2"}));
}

TEST_F(RecordedMeasurerTest, GivesWhatTheRowSays) {
  recorded_.records[0].status = "run crash";
  recorded_.records[1].origin = kOriginDuplicate;
  const auto measurer = MakeRecordedMeasurer(recorded_, tasks_);
  measurer->Enqueue(Job(5));
  EXPECT_EQ(measurer->Wait(0)->front().error, MeasureErrorKind::kRunCrash);
  measurer->Enqueue(Job(3));
  const auto outcomes = measurer->Wait(0);
  EXPECT_TRUE(outcomes->front().duplicate);
  EXPECT_EQ(outcomes->front().result.median_ns, 300);
}

TEST_F(RecordedMeasurerTest, CandidateThatWasNotMeasuredIsUnrecorded) {
  const auto measurer = MakeRecordedMeasurer(recorded_, tasks_);
  measurer->Enqueue(Job(5));
  measurer->Enqueue(Job(77));
  EXPECT_EQ(Drain(measurer.get()), (std::vector<std::string>{"?", "trial-0"}));
}

TEST_F(RecordedMeasurerTest, ComparisonsAtTheEndHaveRowsOfTheirOwn) {
  AddRow(5, kOriginFinal, 510);
  const auto measurer = MakeRecordedMeasurer(recorded_, tasks_);
  measurer->Enqueue(Job(5));
  measurer->Enqueue(Job(5, kOriginFinal));
  measurer->Enqueue(Job(5));
  EXPECT_EQ(Drain(measurer.get()), (std::vector<std::string>{"?", "trial-0", "trial-3"}));
}

TEST_F(RecordedMeasurerTest, IsOverWhenEveryRowHasBeenGiven) {
  const auto measurer = MakeRecordedMeasurer(recorded_, tasks_);
  for (const uint64_t index : {5, 3, 9}) measurer->Enqueue(Job(index));
  Drain(measurer.get());
  measurer->Enqueue(Job(77));
  EXPECT_EQ(measurer->UnderWay(), 0u);
}

}  // namespace
}  // namespace tilth
