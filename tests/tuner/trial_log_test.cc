#include "tuner/trial_log.h"

#include "base/files.h"
#include "gtest/gtest.h"
#include "tests/tuner/fixtures.h"

namespace tilth {
namespace {

class TrialLogTest : public ::testing::Test {
 protected:
  TrialLogTest() : directory_(TempDir::Create("triallog").value()) { tasks_.emplace_back(testing::MatmulSpace(), 1); }

  std::unique_ptr<TrialLog> Open(const std::string& model_hash = "model") {
    SessionInfo info;
    info.model = "m.onnx";
    info.model_hash = model_hash;
    auto log = TrialLog::Open(directory_.File("log.db"), tasks_[0].space().target(), info);
    EXPECT_TRUE(log.ok()) << log.status();
    return *std::move(log);
  }

  std::unique_ptr<TrialLog> Begin(const std::string& model_hash = "model") {
    auto log = Open(model_hash);
    Device device;
    device.fingerprint = "device";
    device.device_class = "local";
    device.peak_gflops = 123;
    EXPECT_TRUE(log->BeginSession(tasks_, device).ok());
    return log;
  }

  MeasureOutcome Outcome(TrialLog* log, uint64_t index, double ns) {
    MeasureOutcome outcome = testing::Measured(tasks_[0], tasks_[0].space().At(index), ns);
    outcome.job.trial_id = log->NextTrialId();
    outcome.build_s = 0.5;
    return outcome;
  }

  struct Seen {
    Candidate candidate;
    double ns;
    MeasureErrorKind error;
    bool own;
    std::string origin;
  };
  std::vector<Seen> Load(TrialLog* log) {
    std::vector<Seen> seen;
    EXPECT_TRUE(log->Load(tasks_,
                          [&](const LoadedRecord& loaded) {
                            seen.push_back({loaded.candidate, loaded.record->median_ns, loaded.error, loaded.own,
                                            loaded.record->origin});
                          })
                    .ok());
    return seen;
  }

  TempDir directory_;
  std::vector<TuningTask> tasks_;
};

TEST_F(TrialLogTest, WhatIsAppendedIsLoadedInOrder) {
  {
    const auto log = Begin();
    MeasureOutcome failed = Outcome(log.get(), 2, 0);
    failed.error = MeasureErrorKind::kRunCrash;
    ASSERT_TRUE(log->Append(tasks_, {Outcome(log.get(), 1, 100), failed}).ok());
    ASSERT_TRUE(log->Append(tasks_, {Outcome(log.get(), 3, 300)}).ok());
  }
  const auto log = Open();
  const auto seen = Load(log.get());
  ASSERT_EQ(seen.size(), 3u);
  for (uint64_t i = 0; i < 3; ++i) EXPECT_EQ(seen[i].candidate, tasks_[0].space().At(i + 1));
  EXPECT_EQ(seen[0].ns, 100);
  EXPECT_EQ(seen[1].error, MeasureErrorKind::kRunCrash);
  EXPECT_EQ(seen[1].ns, 0);
  EXPECT_EQ(log->logged_peak_gflops(), 123);
}

TEST_F(TrialLogTest, TotalsOfSessionsAddUp) {
  for (int session = 0; session < 2; ++session) {
    const auto log = Begin();
    ASSERT_TRUE(log->Append(tasks_, {Outcome(log.get(), static_cast<uint64_t>(session), 100)}).ok());
    ASSERT_TRUE(log->EndSession({.wall_s = 2.5, .candidates_scored = 1000}).ok());
  }
  const auto log = Open();
  Load(log.get());
  EXPECT_DOUBLE_EQ(log->totals().split.wall_s, 5);
  EXPECT_EQ(log->totals().split.candidates_scored, 2000);
  EXPECT_DOUBLE_EQ(log->totals().build_s, 1);
  EXPECT_DOUBLE_EQ(log->totals().measure_s, 0.02);
}

TEST_F(TrialLogTest, RecordsOfOtherModelsAreSeenButNotOwn) {
  {
    const auto log = Begin("another model");
    ASSERT_TRUE(log->Append(tasks_, {Outcome(log.get(), 1, 100)}).ok());
    ASSERT_TRUE(log->EndSession({.wall_s = 2.5, .candidates_scored = 1000}).ok());
  }
  const auto log = Open();
  const auto seen = Load(log.get());
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_FALSE(seen[0].own);
  EXPECT_EQ(log->totals().split.wall_s, 0);
}

TEST_F(TrialLogTest, DuplicatesAreMarkedAndCostNoMeasuring) {
  {
    const auto log = Begin();
    MeasureOutcome duplicate = Outcome(log.get(), 1, 100);
    duplicate.duplicate = true;
    ASSERT_TRUE(log->Append(tasks_, {duplicate}).ok());
  }
  const auto log = Open();
  const auto seen = Load(log.get());
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].origin, kOriginDuplicate);
  EXPECT_EQ(log->totals().measure_s, 0);
  EXPECT_EQ(log->totals().duplicates, 1);
}

}  // namespace
}  // namespace tilth
