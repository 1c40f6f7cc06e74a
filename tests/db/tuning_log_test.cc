// Rows round-trip, the best are found, and every bad log or row is refused with its reason.
#include "db/tuning_log.h"

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "proto/measure.h"
#include "tests/db/log_fixture.h"

namespace tilth {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> TrialIds(const std::vector<TuningRecord>& records) {
  std::vector<std::string> ids;
  for (const TuningRecord& record : records) ids.push_back(record.trial_id);
  return ids;
}

class TuningLogTest : public LogFixture {
 protected:
  std::vector<std::string> Best(TuningLog& log, int k) {
    auto best = log.BestRecords(workload_.hash, target_.hash, k);
    EXPECT_TRUE(best.ok()) << best.status();
    return best.ok() ? TrialIds(*best) : std::vector<std::string>();
  }
};

TEST_F(TuningLogTest, RecordRoundTripsThroughTheFile) {
  TuningRecord written = Record("t1", 123.4567890123456789);
  written.detail = "a 'quoted' \"text\"";
  ASSERT_TRUE(OpenFilledLog()->Append(written).ok());

  auto log = TuningLog::Open(Path(), {.mode = TuningLog::Mode::kReadOnly});
  ASSERT_TRUE(log.ok()) << log.status();
  int visited = 0;
  ASSERT_TRUE((*log)
                  ->ForEachRecord({},
                                  [&](const TuningRecord& read) {
                                    ++visited;
                                    EXPECT_EQ(read.trial_id, written.trial_id);
                                    EXPECT_EQ(read.session_id, written.session_id);
                                    EXPECT_EQ(read.decisions, written.decisions);
                                    EXPECT_EQ(read.space_version, written.space_version);
                                    EXPECT_EQ(read.feature_version, written.feature_version);
                                    EXPECT_EQ(read.codegen_version, written.codegen_version);
                                    EXPECT_EQ(read.origin, written.origin);
                                    EXPECT_EQ(read.detail, written.detail);
                                    EXPECT_EQ(read.median_ns, written.median_ns);
                                    EXPECT_EQ(read.samples_ns, written.samples_ns);
                                    EXPECT_EQ(read.time_unix_ns, written.time_unix_ns);
                                    EXPECT_EQ(read.artifact_hash, written.artifact_hash);
                                    return absl::OkStatus();
                                  })
                  .ok());
  EXPECT_EQ(visited, 1);
}

TEST_F(TuningLogTest, BestAreFastestFirstAndVerifiedOnly) {
  auto log = OpenFilledLog();
  ASSERT_TRUE(
      log->Append({Record("slow", 300), Record("fast", 100), Record("middle", 200), Failure("crashed", "run crash")})
          .ok());
  EXPECT_THAT(Best(*log, 2), ElementsAre("fast", "middle"));
  EXPECT_THAT(Best(*log, 10), ElementsAre("fast", "middle", "slow"));
}

TEST_F(TuningLogTest, RemeasuredCandidateCountsOnceWithItsLatestTime) {
  auto log = OpenFilledLog();
  ASSERT_TRUE(
      log->Append({Record("lucky", 50, R"({"a":1})"), Record("other", 100), Record("again", 150, R"({"a":1})")}).ok());
  EXPECT_THAT(Best(*log, 10), ElementsAre("other", "again"));
}

TEST_F(TuningLogTest, ComparisonBeatsTheLuckySingleTimesBeforeIt) {
  auto log = OpenFilledLog();
  const auto compared = [this](const std::string& trial, double median_ns, const std::string& decisions) {
    TuningRecord record = Record(trial, median_ns, decisions);
    record.origin = kOriginFinal;
    return record;
  };
  ASSERT_TRUE(log->Append({Record("alone", 102), Record("a", 100, R"({"a":1})"), Record("b", 101, R"({"b":1})"),
                           compared("a again", 120, R"({"a":1})"), compared("b again", 115, R"({"b":1})")})
                  .ok());
  EXPECT_THAT(Best(*log, 10), ElementsAre("b again", "a again", "alone"));
  ASSERT_TRUE(log->Append({Record("since", 110)}).ok());
  EXPECT_THAT(Best(*log, 10), ElementsAre("since", "b again", "a again", "alone"));
  ASSERT_TRUE(log->Gc({.keep_best = 2}).ok());
  EXPECT_THAT(Best(*log, 10), ElementsAre("since", "b again"));
}

TEST(RecordStatus, WrongAnswerIsTheNameOfItsKind) {
  EXPECT_EQ(kStatusWrongAnswer, ToString(MeasureErrorKind::kWrongAnswer));
}

TEST_F(TuningLogTest, CandidateWithAWrongAnswerIsNeverBest) {
  auto log = OpenFilledLog();
  ASSERT_TRUE(log->Append({Record("fast", 50, R"({"a":1})"), Failure("wrong", "wrong answer", R"({"a":1})"),
                           Record("slow", 100), Record("fast again", 40, R"({"a":1})")})
                  .ok());
  EXPECT_THAT(Best(*log, 10), ElementsAre("slow"));
}

TEST_F(TuningLogTest, SameTrialTwiceIsOneRecord) {
  auto log = OpenFilledLog();
  ASSERT_TRUE(log->Append(Record("t1", 100)).ok());
  const auto inserted = log->Append({Record("t1", 90), Record("t2", 80)});
  ASSERT_TRUE(inserted.ok()) << inserted.status();
  EXPECT_EQ(*inserted, 1);
  EXPECT_EQ(*log->Count({}), 2);
  EXPECT_THAT(Best(*log, 10), ElementsAre("t2", "t1"));
}

TEST_F(TuningLogTest, BatchIsAllOrNothing) {
  auto log = OpenFilledLog();
  TuningRecord orphan = Record("t2", 100);
  orphan.session_id = "unknown";
  const auto inserted = log->Append({Record("t1", 100), orphan});
  EXPECT_EQ(inserted.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(inserted.status().message(), HasSubstr("t2"));
  EXPECT_EQ(*log->Count({}), 0);
}

TEST_F(TuningLogTest, RowsThatMakeNoSenseAreRefused) {
  auto log = OpenFilledLog();
  const auto message = [&](const TuningRecord& record) { return std::string(log->Append(record).message()); };
  EXPECT_THAT(message(Record("t", 0)), HasSubstr("not a positive time"));
  EXPECT_THAT(message(Record("t", 1.0 / 0.0)), HasSubstr("not a positive time"));
  EXPECT_THAT(message(Record("t", 1, "not json")), HasSubstr("decisions"));
  EXPECT_THAT(message(Record("", 1)), HasSubstr("trial id"));
  TuningRecord failed = Failure("t", "run crash");
  failed.median_ns = 5;
  EXPECT_THAT(message(failed), HasSubstr("it failed"));
  EXPECT_THAT(std::string(log->PutWorkload({"0123", "text", "name"}).message()), HasSubstr("hash"));
  EXPECT_EQ(*log->Count({}), 0);
}

TEST_F(TuningLogTest, CountsWhatASessionOfTheSameModelCanResume) {
  auto log = OpenFilledLog();
  ASSERT_TRUE(log->BeginSession({.id = "s2", .model = "m.onnx", .model_hash = "model-1", .started_unix_ns = 2}).ok());
  ASSERT_TRUE(log->BeginSession({.id = "s3", .model = "n.onnx", .model_hash = "model-2", .started_unix_ns = 3}).ok());
  TuningRecord resumed = Record("t3", 100);
  resumed.session_id = "s2";
  TuningRecord elsewhere = Record("t4", 100);
  elsewhere.session_id = "s3";
  TuningRecord other = Record("t5", 100);
  other.workload_hash = other_workload_.hash;
  ASSERT_TRUE(log->Append({Record("t1", 100), Failure("t2", "run timeout"), resumed, elsewhere, other}).ok());

  const auto counts = log->CountTrials({.target_hash = target_.hash, .model_hash = "model-1"});
  ASSERT_TRUE(counts.ok()) << counts.status();
  int64_t total = 0;
  for (const TrialCount& count : *counts) {
    total += count.count;
    const bool two = count.workload_hash == workload_.hash && count.status == "ok";
    EXPECT_EQ(count.count, two ? 2 : 1);
  }
  EXPECT_EQ(total, 4);
  EXPECT_EQ(counts->size(), 3);
}

TEST_F(TuningLogTest, SessionKeepsArgumentsSeedAndSummary) {
  auto log = OpenLog();
  ASSERT_TRUE(log->BeginSession({.id = "s",
                                 .model = "m.onnx",
                                 .model_hash = "h",
                                 .arguments = R"({"trials":600})",
                                 .seed = ~uint64_t{0},
                                 .tilth_version = "0.1.0",
                                 .started_unix_ns = 7})
                  .ok());
  EXPECT_EQ(log->BeginSession({.id = "s"}).code(), absl::StatusCode::kAlreadyExists);
  ASSERT_TRUE(log->EndSession("s", 9, R"({"wall_s":2})").ok());
  EXPECT_EQ(log->EndSession("none", 9, "{}").code(), absl::StatusCode::kNotFound);
  const auto sessions = log->Sessions();
  ASSERT_EQ(sessions->size(), 1);
  EXPECT_EQ(sessions->front().seed, ~uint64_t{0});
  EXPECT_EQ(sessions->front().arguments, R"({"trials":600})");
  EXPECT_EQ(sessions->front().ended_unix_ns, 9);
  EXPECT_EQ(sessions->front().summary, R"({"wall_s":2})");
}

TEST_F(TuningLogTest, SecondProcessReadsWhileOneWrites) {
  auto log = OpenFilledLog();
  ASSERT_TRUE(log->Append(Record("t1", 100)).ok());
  const pid_t child = fork();
  if (child == 0) {
    auto reader = TuningLog::Open(Path(), {.mode = TuningLog::Mode::kReadOnly, .busy_timeout_ms = 1});
    if (!reader.ok()) _exit(1);
    const auto count = (*reader)->Count({});
    _exit(count.ok() && *count >= 1 ? 0 : 2);
  }
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(log->Append(Record(StrCat("more", i), 100)).ok());
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(TuningLogTest, AppendedRecordsSurviveSigkill) {
  OpenFilledLog();
  int acknowledged[2];
  ASSERT_EQ(pipe(acknowledged), 0);
  const pid_t child = fork();
  if (child == 0) {
    auto log = TuningLog::Open(Path());
    for (int i = 0; log.ok(); ++i) {
      if (!(*log)->Append(Record(StrCat("t", i), 100)).ok()) _exit(1);
      if (write(acknowledged[1], "a", 1) != 1) _exit(2);
    }
    _exit(3);
  }
  close(acknowledged[1]);
  int64_t seen = 0;
  for (char byte; seen < 50 && read(acknowledged[0], &byte, 1) == 1;) ++seen;
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  for (char byte; read(acknowledged[0], &byte, 1) == 1;) ++seen;
  close(acknowledged[0]);

  auto log = OpenLog();
  EXPECT_GE(*log->Count({}), seen);
  EXPECT_THAT(*log->Verify(), ElementsAre());
}

TEST_F(TuningLogTest, WriterThatCannotGetTheLockSaysWhoHasIt) {
  auto log = OpenFilledLog();
  auto holder = sqlite::Database::Open(Path());
  auto held = sqlite::Transaction::Begin(**holder);
  auto impatient = TuningLog::Open(Path(), {.busy_timeout_ms = 1});
  ASSERT_TRUE(impatient.ok()) << impatient.status();
  const Status refused = (*impatient)->Append(Record("t1", 100));
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("another process is writing"));
}

TEST_F(TuningLogTest, FileThatIsNoDatabaseIsRefused) {
  std::ofstream(Path()) << "workload,time\nconv,3\n" << std::string(2000, ' ');
  const auto log = TuningLog::Open(Path());
  EXPECT_EQ(log.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(log.status().message()), HasSubstr("not an SQLite database"));
}

TEST_F(TuningLogTest, DatabaseOfSomethingElseIsRefusedAndLeftAlone) {
  ASSERT_TRUE((*sqlite::Database::Open(Path()))->Execute("CREATE TABLE song(title)").ok());
  const auto log = TuningLog::Open(Path());
  EXPECT_EQ(log.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(log.status().message()), HasSubstr("not a Tilth tuning log"));
  auto database = sqlite::Database::Open(Path());
  EXPECT_EQ(*(*database)->UserVersion(), 0);
}

TEST_F(TuningLogTest, NewerSchemaIsRefusedByBothModes) {
  OpenFilledLog();
  ASSERT_TRUE((*sqlite::Database::Open(Path()))->SetUserVersion(99).ok());
  for (const auto mode : {TuningLog::Mode::kReadOnly, TuningLog::Mode::kReadWrite}) {
    const auto log = TuningLog::Open(Path(), {.mode = mode});
    EXPECT_EQ(log.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(log.status().message()), HasSubstr("version 99"));
    EXPECT_THAT(std::string(log.status().message()), HasSubstr("update Tilth"));
  }
}

TEST_F(TuningLogTest, EmptyFileReadOnlyIsNoLog) {
  std::ofstream(Path()).flush();
  const auto log = TuningLog::Open(Path(), {.mode = TuningLog::Mode::kReadOnly});
  EXPECT_EQ(log.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(log.status().message()), HasSubstr("holds no tuning log"));
}

}  // namespace
}  // namespace tilth
