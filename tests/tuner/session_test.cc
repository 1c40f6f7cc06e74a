// Whole sessions over real processes: tracker, agent and runners of the build under test.
#include "tuner/session.h"

#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <set>
#include <sstream>
#include <thread>

#include "base/files.h"
#include "base/hash.h"
#include "base/unique_id.h"
#include "db/tuning_log.h"
#include "farm/client.h"
#include "farm/embedded.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/tuner/fixtures.h"
#include "tuner/measure_pipeline.h"
#include "tuner/progress.h"
#include "tuner/tuning_task.h"

namespace tilth {
namespace {

using ::testing::HasSubstr;

class SessionTest : public ::testing::Test {
 protected:
  SessionTest() : directory_(TempDir::Create("session").value()) {
    partition_.workloads = {testing::Matmul(96, 80, 64), testing::Softmax(16, 200)};
    partition_.workloads[0].name = "matmul 96x64x80";
    partition_.weights = {3, 1};
    options_.model_name = "test.onnx";
    options_.model_hash = ContentHash("test");
    options_.log_path = directory_.File("log.db");
    options_.target = ParseTarget("native").value();
    options_.trials = 12;
  }

  TuneSummary Run() {
    const StatusOr<TuneSummary> summary = Tune(partition_, options_, nullptr, nullptr);
    EXPECT_TRUE(summary.ok()) << summary.status();
    return summary.value_or(TuneSummary());
  }

  // A session that would need a farm fails with this.
  void TakeTheFarmAway() {
    options_.farm_address = "127.0.0.1:1";
    options_.device_class = "none";
  }

  std::vector<TuningRecord> Records() {
    std::vector<TuningRecord> records;
    const auto log = TuningLog::Open(options_.log_path).value();
    EXPECT_TRUE(log->ForEachRecord({},
                                   [&](const TuningRecord& record) {
                                     records.push_back(record);
                                     return absl::OkStatus();
                                   })
                    .ok());
    return records;
  }

  // The log as people exchange it.
  std::string Export() {
    std::ostringstream text;
    EXPECT_TRUE(TuningLog::Open(options_.log_path).value()->Export(text).ok());
    return text.str();
  }

  TempDir directory_;
  Partition partition_;
  TuneOptions options_;
};

TEST_F(SessionTest, MeasuresRecordsAndImproves) {
  const TuneSummary summary = Run();
  EXPECT_EQ(summary.trials, 12);
  EXPECT_FALSE(summary.interrupted);
  ASSERT_EQ(summary.tasks.size(), 2u);
  for (const TaskSummary& task : summary.tasks) {
    EXPECT_GT(task.default_ns, 0) << task.name;
    EXPECT_GT(task.best_ns, 0) << task.name;
    EXPECT_LE(task.best_ns, task.default_ns) << task.name;
    EXPECT_GT(task.space_size, 1u) << task.name;
  }
  EXPECT_DOUBLE_EQ(summary.tuned_ns, 3 * summary.tasks[0].best_ns + summary.tasks[1].best_ns);
  EXPECT_GT(summary.candidates_scored, 0);
  EXPECT_GT(summary.peak_gflops, 0);

  int searched = 0;
  for (const TuningRecord& record : Records()) {
    EXPECT_EQ(record.status, "ok") << record.detail;
    EXPECT_GT(record.median_ns, 0);
    EXPECT_FALSE(record.samples_ns.empty());
    EXPECT_FALSE(record.artifact_hash.empty());
    searched += record.origin != kOriginFinal && record.origin != kOriginDuplicate ? 1 : 0;
  }
  EXPECT_EQ(searched, 12);
}

TEST_F(SessionTest, FinishedSessionReturnsTheSameSummaryWithoutAFarm) {
  const TuneSummary first = Run();
  const size_t records = Records().size();
  TakeTheFarmAway();
  const TuneSummary second = Run();
  EXPECT_EQ(ToJson(first), ToJson(second));
  EXPECT_EQ(Records().size(), records);
}

TEST_F(SessionTest, ABiggerBudgetContinuesWhereTheFirstOneEnded) {
  options_.trials = 5;
  EXPECT_EQ(Run().trials, 5);
  const std::vector<TuningRecord> before = Records();
  options_.trials = 11;
  EXPECT_EQ(Run().trials, 11);
  const std::vector<TuningRecord> after = Records();
  ASSERT_GT(after.size(), before.size());
  int searched = 0;
  std::set<std::string> candidates;
  for (size_t i = 0; i < after.size(); ++i) {
    if (i < before.size()) {
      EXPECT_EQ(after[i].trial_id, before[i].trial_id);
    }
    if (after[i].origin == kOriginFinal) continue;
    searched += after[i].origin != kOriginDuplicate ? 1 : 0;
    EXPECT_TRUE(candidates.insert(after[i].workload_hash + after[i].decisions).second) << "measured twice";
  }
  EXPECT_EQ(searched, 11);
}

TEST_F(SessionTest, StopsWhenAskedAndContinues) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  std::FILE* const shown = fdopen(ends[0], "r");
  std::FILE* const out = fdopen(ends[1], "w");
  std::atomic<bool> stop = false;
  std::thread asks_after_the_first_progress([&] {
    fgetc(shown);
    stop = true;
  });
  options_.trials = 1'000'000;
  Progress progress(out, /*terminal=*/false);
  const StatusOr<TuneSummary> stopped = Tune(partition_, options_, &progress, &stop);
  fclose(out);
  asks_after_the_first_progress.join();
  fclose(shown);
  ASSERT_TRUE(stopped.ok()) << stopped.status();
  EXPECT_TRUE(stopped->interrupted);
  EXPECT_EQ(stopped->stopped_because, "interrupted");
  options_.trials = stopped->trials + 5;
  EXPECT_EQ(Run().trials, stopped->trials + 5);
}

TEST_F(SessionTest, TimeBudgetEndsTheSearch) {
  options_.trials = 1'000'000;
  options_.time_budget_s = 0.001;
  const TuneSummary summary = Run();
  EXPECT_LT(summary.trials, 1000);
  EXPECT_FALSE(summary.interrupted);
}

TEST_F(SessionTest, KernelsOfAnotherModelTeachButDoNotSpendTheBudget) {
  Run();
  options_.model_hash = ContentHash("another model");
  options_.trials = 3;
  const TuneSummary summary = Run();
  EXPECT_EQ(summary.trials, 3);
  EXPECT_GT(summary.tasks[0].best_ns, 0);
  EXPECT_LT(summary.wall_s, 60);
}

TEST_F(SessionTest, StopsForAReason) {
  EXPECT_EQ(Run().stopped_because, "trials");
  options_.trials = 1'000'000;
  options_.time_budget_s = 0.001;
  EXPECT_EQ(Run().stopped_because, "time budget");
}

TEST_F(SessionTest, TellsHowBusyTheDeviceWas) {
  const TuneSummary summary = Run();
  EXPECT_GT(summary.device_busy_fraction, 0);
  EXPECT_LT(summary.device_busy_fraction, 1.01);
}

TEST_F(SessionTest, ReplayRepeatsTheSessionByteForByteWithoutAFarm) {
  options_.trials = 40;
  options_.seed = 7;
  const TuneSummary recorded = Run();
  const std::string exported = Export();
  TakeTheFarmAway();
  options_.replay_path = options_.log_path;
  options_.trials = 0;  // the recorded session's
  options_.seed = 0;
  for (const char* name : {"first.db", "second.db"}) {
    options_.log_path = directory_.File(name);
    EXPECT_EQ(ToJson(Run()), ToJson(recorded));
    EXPECT_EQ(Export(), exported);
  }
}

TEST_F(SessionTest, ReplayOfASessionThatRanOutOfTimePicksTheSameWinners) {
  options_.time_budget_s = 0.3;
  options_.trials = 0;
  const TuneSummary recorded = Run();
  ASSERT_EQ(recorded.stopped_because, "time budget");
  const std::string exported = Export();
  options_.replay_path = options_.log_path;
  options_.log_path = directory_.File("replay.db");
  options_.time_budget_s = 0;
  const TuneSummary replayed = Run();
  EXPECT_EQ(replayed.tuned_ns, recorded.tuned_ns);
  EXPECT_EQ(Export(), exported);
}

TEST_F(SessionTest, ReplayOfAnotherModelIsAnError) {
  Run();
  options_.replay_path = options_.log_path;
  options_.log_path = directory_.File("replay.db");
  options_.model_hash = ContentHash("another model");
  const Status status = Tune(partition_, options_, nullptr, nullptr).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr(options_.replay_path));
}

TEST_F(SessionTest, FilterChoosesKernelsByName) {
  options_.task_filter = "matmul";
  options_.trials = 2;
  const TuneSummary summary = Run();
  ASSERT_EQ(summary.tasks.size(), 1u);
  EXPECT_EQ(summary.tasks[0].name, "matmul 96x64x80");

  options_.task_filter = "conv";
  const Status status = Tune(partition_, options_, nullptr, nullptr).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), ::testing::AllOf(HasSubstr("'conv'"), HasSubstr("matmul 96x64x80")));
}

TEST_F(SessionTest, FarmThatIsNotThereIsAnErrorWithItsAddress) {
  TakeTheFarmAway();
  const Status status = Tune(partition_, options_, nullptr, nullptr).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("127.0.0.1:1"));
}

TEST_F(SessionTest, TargetThatDoesNotRunHereNeedsAFarm) {
  options_.target = ParseTarget("rpi4").value();
  const Status status = Tune(partition_, options_, nullptr, nullptr).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), ::testing::AllOf(HasSubstr("rpi4"), HasSubstr("--farm")));
}

TEST_F(SessionTest, FarmGivenByHandDoesTheSameJob) {
  const auto farm = EmbeddedFarm::Start({.device_class = "bench"});
  ASSERT_TRUE(farm.ok()) << farm.status();
  options_.farm_address = (*farm)->address();
  options_.device_class = "bench";
  const TuneSummary summary = Run();
  EXPECT_EQ(summary.trials, 12);
  EXPECT_GT(summary.tuned_ns, 0);
}

// A successor may have measured the candidate by itself before the tracker gave it what its predecessor left.
TEST_F(SessionTest, ResultsOfAKilledSessionAreRecordedThoughTheirCandidateIsKnown) {
  const auto farm = EmbeddedFarm::Start({.device_class = "bench"});
  ASSERT_TRUE(farm.ok()) << farm.status();
  options_.farm_address = (*farm)->address();
  options_.device_class = "bench";
  options_.trials = 2;
  Run();

  LoggedSession killed = TuningLog::Open(options_.log_path).value()->Sessions().value().front();
  killed.id = UniqueId();
  killed.ended_unix_ns = 0;
  ASSERT_TRUE(TuningLog::Open(options_.log_path).value()->BeginSession(killed).ok());
  const auto client =
      FarmClient::Connect({.address = options_.farm_address, .device_class = "bench", .session_id = killed.id});
  ASSERT_TRUE(client.ok()) << client.status();
  ASSERT_TRUE((*client)->WaitDevice(60'000).ok());
  MeasurePipeline pipeline(client->get(), PipelineOptions{.build_threads = 1});
  const TuningTask task(SearchSpace::Create(partition_.workloads[0], options_.target).value(), 1);
  MeasureJob job;
  job.space = task.shared_space();
  job.candidate = task.space().Default();
  job.origin = "model";
  job.trial_id = StrCat(killed.id, "-0");
  job.workload_hash = task.workload_hash();
  job.repeat = true;
  pipeline.Enqueue(job);
  while ((*client)->Unfinished() < 1) std::this_thread::yield();

  options_.trials = 4;
  EXPECT_EQ(Run().trials, 4);
  int left = 0, searched = 0;
  for (const TuningRecord& record : Records()) {
    left += record.trial_id == job.trial_id ? 1 : 0;
    searched += record.origin != kOriginFinal && record.origin != kOriginDuplicate ? 1 : 0;
  }
  EXPECT_EQ(left, 1);
  EXPECT_EQ(searched, 4);
}

TEST_F(SessionTest, LogThatIsNoLogIsAnErrorWithItsPath) {
  ASSERT_TRUE(WriteFile(options_.log_path, std::string(5000, 'x')).ok());
  const Status status = Tune(partition_, options_, nullptr, nullptr).status();
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr(options_.log_path));
}

}  // namespace
}  // namespace tilth
