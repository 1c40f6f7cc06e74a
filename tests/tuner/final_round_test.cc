#include "tuner/final_round.h"

#include <map>
#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/tuner/fixtures.h"

namespace tilth {
namespace {

class FinalRoundTest : public ::testing::Test {
 protected:
  FinalRoundTest() {
    tasks_.emplace_back(testing::MatmulSpace(), 1);
    for (uint64_t i = 1; i <= 5; ++i) Add(0, tasks_[0].space().At(i), 100.0 * static_cast<double>(i));
    Add(0, tasks_[0].space().Default(), 900, kOriginDefault);
  }

  void Add(size_t task, const Candidate& candidate, double ns, const std::string& origin = "model") {
    tasks_[task].AddResult(candidate, origin, ns, MeasureErrorKind::kNone, true);
  }

  std::vector<MeasureJob> Jobs(const FinalRound& round, int num_devices = 1) {
    return round.Jobs(num_devices, [this] { return StrCat("trial-", next_++); });
  }

  static MeasureOutcome Answer(const MeasureJob& job, double ns) {
    MeasureOutcome outcome;
    outcome.job = job;
    outcome.result.median_ns = ns;
    outcome.result.samples_ns = {ns};
    return outcome;
  }

  std::vector<TuningTask> tasks_;
  int next_ = 0;
};

TEST_F(FinalRoundTest, ComparesTheBestThreeAndTheDefaultInTurn) {
  const FinalRound round(tasks_, FinalTasks(tasks_), 1, 2);
  const auto jobs = Jobs(round);
  ASSERT_EQ(jobs.size(), 8u);
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(jobs[static_cast<size_t>(i)].candidate, tasks_[0].space().At(static_cast<uint64_t>(i) + 1));
  EXPECT_EQ(jobs[3].candidate, tasks_[0].space().Default());
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(jobs[i].candidate, jobs[i + 4].candidate);
  std::set<std::string> ids;
  for (const MeasureJob& job : jobs) {
    EXPECT_TRUE(job.repeat);
    ids.insert(job.trial_id);
  }
  EXPECT_EQ(ids.size(), jobs.size());
}

TEST_F(FinalRoundTest, TellsATasksRivalsTogetherOnceAllAreIn) {
  FinalRound round(tasks_, FinalTasks(tasks_), 1, 2);
  const auto jobs = Jobs(round);
  std::vector<MeasureOutcome> complete;
  for (size_t i = 0; i < jobs.size(); ++i) {
    EXPECT_TRUE(complete.empty());
    complete = round.Add({Answer(jobs[i], i < 4 ? 100 : 110)});
  }
  ASSERT_EQ(complete.size(), 4u);
  for (const MeasureOutcome& outcome : complete) {
    EXPECT_EQ(outcome.result.median_ns, 105);
    EXPECT_THAT(outcome.result.samples_ns, ::testing::ElementsAre(100, 110));
  }
}

TEST_F(FinalRoundTest, OneFailureFailsTheCandidate) {
  FinalRound round(tasks_, FinalTasks(tasks_), 1, 2);
  std::vector<MeasureOutcome> complete;
  for (const MeasureJob& job : Jobs(round)) {
    MeasureOutcome outcome = Answer(job, 100);
    if (job.trial_id == "trial-1") outcome.error = MeasureErrorKind::kWrongAnswer;
    complete = round.Add({outcome});
  }
  ASSERT_EQ(complete.size(), 4u);
  EXPECT_EQ(complete[1].error, MeasureErrorKind::kWrongAnswer);
  EXPECT_EQ(complete[0].error, MeasureErrorKind::kNone);
}

TEST_F(FinalRoundTest, WhatTheFarmCouldNotRunLeavesTheTaskUncompared) {
  FinalRound round(tasks_, FinalTasks(tasks_), 1, 2);
  for (const MeasureJob& job : Jobs(round)) {
    MeasureOutcome outcome = Answer(job, 100);
    if (job.trial_id == "trial-1") outcome.result.status = absl::UnavailableError("the agent is gone");
    EXPECT_TRUE(round.Add({outcome}).empty());
  }
}

TEST_F(FinalRoundTest, EachTaskStaysOnOneDeviceAndAllDevicesHaveOne) {
  for (const int size : {32, 48}) {
    tasks_.emplace_back(testing::MatmulSpace(size, size, size), 1);
    for (uint64_t i = 1; i <= 3; ++i) Add(tasks_.size() - 1, tasks_.back().space().At(i), 100);
  }
  const FinalRound round(tasks_, {0, 1, 2}, 1, 1);
  std::vector<int> order;
  std::map<int, std::set<std::string>> words;
  for (const MeasureJob& job : Jobs(round, 2)) {
    order.push_back(job.task);
    words[job.task].insert(job.together);
  }
  EXPECT_THAT(order, ::testing::ElementsAre(0, 1, 0, 1, 0, 1, 0, 2, 2, 2));
  for (const auto& [task, word] : words) EXPECT_EQ(word.size(), 1u);
  EXPECT_NE(words[0], words[1]);
}

TEST_F(FinalRoundTest, TimesOfTwoDevicesAreNotCompared) {
  // The device goes away after the first round and one trial.
  FinalRound round(tasks_, FinalTasks(tasks_), 1, 2);
  std::vector<MeasureOutcome> complete;
  const std::vector<MeasureJob> jobs = Jobs(round);
  for (size_t i = 0; i < jobs.size(); ++i) {
    MeasureOutcome outcome = Answer(jobs[i], i < 5 ? 100 : 70);
    outcome.result.agent_id = i < 5 ? "slow" : "fast";
    complete = round.Add({outcome});
  }
  ASSERT_EQ(complete.size(), 4u);
  for (const MeasureOutcome& outcome : complete) EXPECT_EQ(outcome.result.median_ns, 100);
}

TEST_F(FinalRoundTest, ATaskWithoutADeviceThatHasMeasuredAllIsNotCompared) {
  FinalRound round(tasks_, FinalTasks(tasks_), 1, 1);
  int number = 0;
  for (const MeasureJob& job : Jobs(round)) {
    MeasureOutcome outcome = Answer(job, 100);
    outcome.result.agent_id = number++ < 2 ? "x" : "y";
    EXPECT_TRUE(round.Add({outcome}).empty());
  }
}

TEST_F(FinalRoundTest, IsNotNeededTwiceNorWithoutAChoiceNorForSmallTasks) {
  EXPECT_EQ(FinalTasks(tasks_), std::vector<int>{0});
  Add(0, tasks_[0].space().At(1), 100, kOriginFinal);
  EXPECT_TRUE(FinalTasks(tasks_).empty());

  tasks_.emplace_back(testing::MatmulSpace(32, 32, 32), 1);
  Add(1, tasks_[1].space().At(1), 50);
  EXPECT_TRUE(FinalTasks(tasks_).empty()) << "a single candidate has no rival";
  Add(1, tasks_[1].space().At(2), 60);
  EXPECT_EQ(FinalTasks(tasks_), std::vector<int>{1});

  tasks_.emplace_back(testing::MatmulSpace(8, 8, 8), 1);
  Add(2, tasks_[2].space().At(1), 0.5);
  Add(2, tasks_[2].space().At(2), 0.6);
  EXPECT_EQ(FinalTasks(tasks_), std::vector<int>{1}) << "below one per cent of the model's time";
}

}  // namespace
}  // namespace tilth
