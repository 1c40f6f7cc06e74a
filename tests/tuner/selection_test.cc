#include "tuner/selection.h"

#include <algorithm>

#include "base/files.h"
#include "cost_model/cost_model.h"
#include "cost_model/features.h"
#include "db/tuning_log.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/tuner/fixtures.h"
#include "tuner/trial_log.h"

namespace tilth {
namespace {

// Expects candidates to be the faster, the longer their reduction is unrolled.
class UnrollingModel : public CostModel {
 public:
  std::string name() const override { return "unrolling"; }
  Status Update(const TrainingSet&) override { return absl::OkStatus(); }
  StatusOr<std::vector<float>> Predict(const FeatureMatrix& features) const override {
    const auto& names = FeatureNames();
    const auto column = std::find(names.begin(), names.end(), "choice.k_unroll") - names.begin();
    std::vector<float> scores;
    for (int row = 0; row < features.rows(); ++row) scores.push_back(features.at(row, static_cast<int>(column)));
    return scores;
  }
};

// Expects all candidates to be alike.
class IndifferentModel : public UnrollingModel {
  StatusOr<std::vector<float>> Predict(const FeatureMatrix& features) const override {
    return std::vector<float>(static_cast<size_t>(features.rows()), 0.0f);
  }
};

class SelectionTest : public ::testing::Test {
 protected:
  SelectionTest() : directory_(TempDir::Create("selection").value()), path_(directory_.File("log.db")) {
    tasks_.emplace_back(testing::MatmulSpace(), 1);
    const SessionInfo info = {.model = "m.onnx", .model_hash = "model", .arguments_json = "{}", .seed = 1};
    log_ = TrialLog::Open(path_, space().target(), info).value();
    Device device;
    device.fingerprint = "device";
    device.device_class = "local";
    EXPECT_TRUE(log_->BeginSession(tasks_, device).ok());
  }

  const SearchSpace& space() { return tasks_[0].space(); }

  void Record(const Candidate& candidate, double ns, MeasureErrorKind error = MeasureErrorKind::kNone) {
    MeasureOutcome outcome = testing::Measured(tasks_[0], candidate, ns);
    outcome.job.trial_id = log_->NextTrialId();
    outcome.error = error;
    const Status status = log_->Append(tasks_, {outcome});
    ASSERT_TRUE(status.ok()) << status;
  }

  Selection Select() {
    const auto log = TuningLog::Open(path_).value();
    const auto selection = SelectCandidate(space(), log.get());
    EXPECT_TRUE(selection.ok()) << selection.status();
    return selection.value_or(Selection());
  }

  TempDir directory_;
  std::string path_;
  std::vector<TuningTask> tasks_;
  std::unique_ptr<TrialLog> log_;
  UnrollingModel unrolling_;
  IndifferentModel indifferent_;
};

TEST_F(SelectionTest, WithoutALogIsTheDefault) {
  const Selection selection = SelectCandidate(space(), nullptr).value();
  EXPECT_FALSE(selection.tuned);
  EXPECT_EQ(selection.candidate, space().Default());
  EXPECT_EQ(selection.median_ns, 0);
}

TEST_F(SelectionTest, WithoutARecordIsTheDefault) { EXPECT_FALSE(Select().tuned); }

TEST_F(SelectionTest, IsTheFastestVerifiedRecord) {
  Record(space().At(1), 300);
  Record(space().At(2), 200);
  Record(space().At(3), 0, MeasureErrorKind::kWrongAnswer);
  const Selection selection = Select();
  EXPECT_TRUE(selection.tuned);
  EXPECT_EQ(selection.candidate, space().At(2));
  EXPECT_EQ(selection.median_ns, 200);
  EXPECT_EQ(ToJson(selection.decisions), ToJson(space().ToDecisions(space().At(2))));
}

TEST_F(SelectionTest, PassesOverStaleRecordsAndCountsThem) {
  Record(space().At(1), 300);
  {
    const auto log = TuningLog::Open(path_).value();
    TuningRecord stale;
    ASSERT_TRUE(log->ForEachRecord({},
                                   [&](const TuningRecord& record) {
                                     stale = record;
                                     return absl::OkStatus();
                                   })
                    .ok());
    stale.trial_id = "stale";
    stale.median_ns = 100;
    stale.samples_ns = {100};
    stale.decisions = R"({"sketch":"from another age","tile":[1,2,3]})";
    const Status status = log->Append(stale);
    ASSERT_TRUE(status.ok()) << status;
  }
  const Selection selection = Select();
  EXPECT_TRUE(selection.tuned);
  EXPECT_EQ(selection.candidate, space().At(1));
  EXPECT_EQ(selection.stale_records, 1);
}

TEST_F(SelectionTest, IgnoresRecordsOfAnotherTarget) {
  Record(space().At(1), 300);
  const std::shared_ptr<const SearchSpace> other =
      SearchSpace::Create(space().workload(), ParseTarget("rpi4").value()).value();
  const auto log = TuningLog::Open(path_).value();
  EXPECT_FALSE(SelectCandidate(*other, log.get()).value().tuned);
}

TEST_F(SelectionTest, StrictNamesEveryUntunedKernel) {
  Record(space().At(1), 300);
  const std::shared_ptr<const SearchSpace> untuned =
      SearchSpace::Create(testing::Softmax(8, 8), space().target()).value();
  const auto log = TuningLog::Open(path_).value();
  const auto relaxed = SelectCandidates({&space(), untuned.get()}, log.get(), /*strict=*/false);
  ASSERT_TRUE(relaxed.ok());
  EXPECT_TRUE((*relaxed)[0].tuned);
  EXPECT_FALSE((*relaxed)[1].tuned);
  const Status strict = SelectCandidates({&space(), untuned.get()}, log.get(), /*strict=*/true).status();
  EXPECT_EQ(strict.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(strict.message()),
              ::testing::AllOf(::testing::HasSubstr("softmax"), ::testing::HasSubstr("1 of 2")));
}

TEST_F(SelectionTest, WithoutARecordIsWhatTheModelExpectsToBeClearlyFaster) {
  const Selection selection = SelectCandidate(space(), nullptr, &unrolling_).value();
  EXPECT_FALSE(selection.tuned);
  EXPECT_GT(selection.predicted_gain, 1);
  EXPECT_NE(selection.candidate, space().Default());
  EXPECT_EQ(SelectCandidate(space(), nullptr, &unrolling_).value().candidate, selection.candidate);
}

TEST_F(SelectionTest, IsTheDefaultWhereTheModelExpectsNoClearGain) {
  const Selection selection = SelectCandidate(space(), nullptr, &indifferent_).value();
  EXPECT_EQ(selection.candidate, space().Default());
  EXPECT_EQ(selection.predicted_gain, 0);
}

TEST_F(SelectionTest, ARecordComesBeforeTheModel) {
  Record(space().At(1), 300);
  const auto log = TuningLog::Open(path_).value();
  const Selection selection = SelectCandidate(space(), log.get(), &unrolling_).value();
  EXPECT_TRUE(selection.tuned);
  EXPECT_EQ(selection.candidate, space().At(1));
}

}  // namespace
}  // namespace tilth
