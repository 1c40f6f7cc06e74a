#include "tuner/unfinished_sessions.h"

#include <atomic>
#include <thread>

#include "base/unique_id.h"
#include "farm/client.h"
#include "farm/embedded.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/tuner/fixtures.h"
#include "tuner/measure_pipeline.h"
#include "tuner/trial_note.h"

namespace tilth {
namespace {

MeasureResult ResultWith(const std::string& trial_id, const TrialNote& note) {
  MeasureResult result;
  result.trial_id = trial_id;
  result.median_ns = 5;
  result.note = ToText(note);
  return result;
}

TEST(TrialNoteTest, SurvivesTheWireAndRefusesWhatIsNone) {
  const TrialNote note{.workload_hash = "w",
                       .target_hash = "t",
                       .decisions = "{\"a\":1}",
                       .origin = "model",
                       .artifact_hash = "x",
                       .build_s = 0.25};
  const StatusOr<TrialNote> read = TrialNoteFromText(ToText(note));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->workload_hash, "w");
  EXPECT_EQ(read->target_hash, "t");
  EXPECT_EQ(read->decisions, "{\"a\":1}");
  EXPECT_EQ(read->origin, "model");
  EXPECT_EQ(read->artifact_hash, "x");
  EXPECT_EQ(read->build_s, 0.25);
  for (const char* bad : {"", "{}", "[]", "{\"workload\":1}", "\xff"}) {
    EXPECT_EQ(TrialNoteFromText(bad).status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
}

TEST(OutcomesOfTest, NotesTellWhatWasMeasured) {
  std::vector<TuningTask> tasks;
  tasks.emplace_back(testing::MatmulSpace(), 1);
  tasks.emplace_back(testing::MatmulSpace(32, 32, 32), 1);
  const SearchSpace& space = tasks[1].space();
  const std::string target = TargetHash(space.target());
  const TrialNote note{.workload_hash = tasks[1].workload_hash(),
                       .target_hash = target,
                       .decisions = ToJson(space.ToDecisions(space.At(3))),
                       .origin = "model",
                       .artifact_hash = "code"};
  TrialNote final_note = note, foreign = note, other_target = note, stale = note;
  final_note.origin = kOriginFinal;
  foreign.workload_hash = "of another model";
  other_target.target_hash = "of another target";
  stale.decisions = "{\"no such decision\":1}";
  MeasureResult not_carried_out = ResultWith("e", note);
  not_carried_out.status = absl::AbortedError("no device");
  MeasureResult without_note;
  const auto outcomes =
      OutcomesOf({ResultWith("good", note), ResultWith("a", final_note), ResultWith("b", foreign),
                  ResultWith("c", other_target), ResultWith("d", stale), not_carried_out, without_note},
                 tasks, target);
  ASSERT_EQ(outcomes.size(), 1u);
  EXPECT_EQ(outcomes[0].job.task, 1);
  EXPECT_EQ(outcomes[0].job.trial_id, "good");
  EXPECT_EQ(outcomes[0].job.candidate, space.At(3));
  EXPECT_EQ(outcomes[0].job.origin, "model");
  EXPECT_EQ(outcomes[0].artifact_hash, "code");
  EXPECT_EQ(outcomes[0].result.median_ns, 5);
}

class UnfinishedSessionsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto farm = EmbeddedFarm::Start({});
    ASSERT_TRUE(farm.ok()) << farm.status();
    farm_ = *std::move(farm);
    auto client = FarmClient::Connect(
        {.address = farm_->address(), .device_class = farm_->device_class(), .session_id = session_});
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
    ASSERT_TRUE(client_->WaitDevice(60'000).ok());
    pipeline_ = std::make_unique<MeasurePipeline>(client_.get(), PipelineOptions{.build_threads = 1});
    tasks_.emplace_back(SearchSpace::Create(testing::Matmul(16, 16, 16), ParseTarget("native").value()).value(), 1);
    for (uint64_t i = 0; i < 3; ++i) {
      MeasureJob job;
      job.space = tasks_[0].shared_space();
      job.candidate = tasks_[0].space().At(i * 100);
      job.origin = "model";
      job.trial_id = StrCat("t", i);
      job.workload_hash = tasks_[0].workload_hash();
      job.repeat = true;
      pipeline_->Enqueue(std::move(job));
    }
  }

  std::vector<MeasureOutcome> Collect() {
    std::vector<MeasureOutcome> outcomes;
    const Status collected = CollectUnfinishedSessions(
        farm_->address(), farm_->device_class(), {UniqueId(), session_},
        [&](const std::vector<MeasureResult>& results) {
          for (MeasureOutcome& outcome : OutcomesOf(results, tasks_, TargetHash(tasks_[0].space().target()))) {
            outcomes.push_back(std::move(outcome));
          }
          return absl::OkStatus();
        });
    EXPECT_TRUE(collected.ok()) << collected;
    return outcomes;
  }

  const std::string session_ = UniqueId();
  std::unique_ptr<EmbeddedFarm> farm_;
  std::unique_ptr<FarmClient> client_;
  std::unique_ptr<MeasurePipeline> pipeline_;
  std::vector<TuningTask> tasks_;
};

TEST_F(UnfinishedSessionsTest, WhatWasMeasuredForASilentClientIsCollectedOnce) {
  // To the tracker, a client that submits and is not heard of again has been killed.
  while (client_->Unfinished() < 3) std::this_thread::yield();
  const std::vector<MeasureOutcome> outcomes = Collect();
  ASSERT_EQ(outcomes.size(), 3u);
  for (const MeasureOutcome& outcome : outcomes) EXPECT_TRUE(outcome.result.Measured()) << outcome.result.status;
  EXPECT_TRUE(Collect().empty());
  const auto jobs = ListJobs(farm_->address());
  ASSERT_TRUE(jobs.ok()) << jobs.status();
  EXPECT_TRUE(jobs->empty());
}

TEST_F(UnfinishedSessionsTest, ASessionWhoseClientLivesIsLeftAlone) {
  std::atomic<bool> stop = false;
  std::thread alive([&] {
    while (!stop) EXPECT_TRUE(pipeline_->Wait(10).ok());
  });
  EXPECT_TRUE(Collect().empty());
  stop = true;
  alive.join();
}

}  // namespace
}  // namespace tilth
