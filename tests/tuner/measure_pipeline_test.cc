#include "tuner/measure_pipeline.h"

#include "farm/embedded.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/tuner/fixtures.h"

namespace tilth {
namespace {

class MeasurePipelineTest : public ::testing::Test {
 protected:
  void SetUp() override {
    space_ = SearchSpace::Create(testing::Matmul(16, 16, 16), ParseTarget("native").value()).value();
    auto farm = EmbeddedFarm::Start({});
    ASSERT_TRUE(farm.ok()) << farm.status();
    farm_ = *std::move(farm);
    FarmClientOptions options;
    options.address = farm_->address();
    options.device_class = farm_->device_class();
    auto client = FarmClient::Connect(options);
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
    ASSERT_TRUE(client_->WaitDevice(60'000).ok());
    pipeline_ = std::make_unique<MeasurePipeline>(client_.get(), PipelineOptions{.build_threads = 2});
  }

  MeasureJob Job(const Candidate& candidate, const std::string& trial_id) {
    MeasureJob job;
    job.space = space_;
    job.candidate = candidate;
    job.origin = "test";
    job.trial_id = trial_id;
    job.seed = 1;
    return job;
  }

  std::vector<MeasureOutcome> Collect(size_t count) {
    std::vector<MeasureOutcome> all;
    while (all.size() < count) {
      auto outcomes = pipeline_->Wait(60'000);
      EXPECT_TRUE(outcomes.ok()) << outcomes.status();
      if (!outcomes.ok() || outcomes->empty()) break;
      for (MeasureOutcome& outcome : *outcomes) all.push_back(std::move(outcome));
    }
    EXPECT_EQ(all.size(), count);
    return all;
  }

  std::shared_ptr<const SearchSpace> space_;
  std::unique_ptr<EmbeddedFarm> farm_;
  std::unique_ptr<FarmClient> client_;
  std::unique_ptr<MeasurePipeline> pipeline_;
};

TEST_F(MeasurePipelineTest, BuildsVerifiesAndTimes) {
  pipeline_->Enqueue(Job(space_->Default(), "a"));
  EXPECT_EQ(pipeline_->UnderWay(), 1u);
  const auto outcomes = Collect(1);
  ASSERT_EQ(outcomes.size(), 1u);
  EXPECT_EQ(outcomes[0].error, MeasureErrorKind::kNone) << outcomes[0].detail;
  EXPECT_GT(outcomes[0].result.median_ns, 0);
  EXPECT_GT(outcomes[0].build_s, 0);
  EXPECT_FALSE(outcomes[0].artifact_hash.empty());
  EXPECT_EQ(pipeline_->UnderWay(), 0u);
}

TEST_F(MeasurePipelineTest, IdenticalMachineCodeIsMeasuredOnce) {
  // Whatever they do apart: the same candidate is the same code.
  for (const char* id : {"a", "b", "c"}) pipeline_->Enqueue(Job(space_->Default(), id));
  const auto outcomes = Collect(3);
  ASSERT_EQ(outcomes.size(), 3u);
  int duplicates = 0;
  for (const MeasureOutcome& outcome : outcomes) {
    duplicates += outcome.duplicate ? 1 : 0;
    EXPECT_EQ(outcome.result.median_ns, outcomes[0].result.median_ns);
    if (!outcome.duplicate) continue;
    EXPECT_THAT(outcome.detail, ::testing::HasSubstr("same machine code as trial"));
  }
  EXPECT_EQ(duplicates, 2);
}

TEST_F(MeasurePipelineTest, CodeKnownFromTheLogIsNotMeasured) {
  pipeline_->Enqueue(Job(space_->Default(), "a"));
  const std::string hash = Collect(1).at(0).artifact_hash;
  MeasurePipeline another(client_.get(), PipelineOptions());
  MeasureResult known;
  known.median_ns = 4711;
  another.AddKnown(0, hash, "from the log", known);
  another.Enqueue(Job(space_->Default(), "b"));
  std::vector<MeasureOutcome> outcomes;
  while (outcomes.empty()) outcomes = another.Wait(60'000).value();
  EXPECT_TRUE(outcomes[0].duplicate);
  EXPECT_EQ(outcomes[0].result.median_ns, 4711);
}

TEST_F(MeasurePipelineTest, RepeatedJobsAreMeasuredAgain) {
  MeasureJob again = Job(space_->Default(), "b");
  again.repeat = true;
  pipeline_->Enqueue(Job(space_->Default(), "a"));
  pipeline_->Enqueue(again);
  for (const MeasureOutcome& outcome : Collect(2)) EXPECT_FALSE(outcome.duplicate);
}

TEST_F(MeasurePipelineTest, CancelForgetsWhatIsUnderWay) {
  Rng rng(1);
  for (int i = 0; i < 20; ++i) pipeline_->Enqueue(Job(space_->Random(rng), absl::StrCat("t", i)));
  pipeline_->Cancel();
  EXPECT_EQ(pipeline_->UnderWay(), 0u);
}

}  // namespace
}  // namespace tilth
