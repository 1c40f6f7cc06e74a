#include "rpc_agent/runner/measure_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace tilth::runner {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::SizeIs;

// A kernel whose n-th sample takes what a function says: no clock, no machine.
class FakeKernel : public SampleSource {
 public:
  explicit FakeKernel(std::function<Sample(int n)> sample) : sample_(std::move(sample)) {}

  Sample Take(int64_t runs) override {
    Sample sample = sample_(calls_++);
    sample.elapsed_ns *= runs;
    total_ns_ += sample.elapsed_ns;
    last_runs_ = runs;
    return sample;
  }

  int calls() const { return calls_; }
  int64_t last_runs() const { return last_runs_; }
  int64_t total_ns() const { return total_ns_; }

 private:
  std::function<Sample(int n)> sample_;
  int calls_ = 0;
  int64_t last_runs_ = 0, total_ns_ = 0;
};

SampleSource::Sample Steady(int64_t ns) { return {.elapsed_ns = ns}; }

// No warm-up beyond the one run, one run per sample.
MeasureLoopOptions Plain() { return {.warmup_ns = 0, .min_sample_ns = 1}; }

TEST(MeasureLoopTest, SteadyKernelStopsAtMinRepeats) {
  FakeKernel kernel([](int) { return Steady(1000); });
  const MeasureLoopResult result = RunMeasureLoop(Plain(), kernel);
  EXPECT_THAT(result.samples_ns, SizeIs(5));
  EXPECT_EQ(result.median_ns, 1000);
  EXPECT_EQ(result.spread, 0);
  EXPECT_EQ(kernel.calls(), 1 + 5);
}

TEST(MeasureLoopTest, NoisyKernelIsRepeatedUntilTheIntervalIsNarrow) {
  FakeKernel kernel([](int n) { return Steady(1000 + 30 * (n % 3)); });
  MeasureLoopOptions options = Plain();
  options.target_relative_ci = 0.02;
  const MeasureLoopResult result = RunMeasureLoop(options, kernel);
  EXPECT_GT(result.samples_ns.size(), 5u);
  EXPECT_LT(result.samples_ns.size(), 200u);
  EXPECT_LE(RelativeMedianCi(result.samples_ns), 0.02);
}

TEST(MeasureLoopTest, HopelesslyNoisyKernelStopsAtMaxRepeats) {
  FakeKernel kernel([](int n) { return Steady(n % 2 == 0 ? 1000 : 2000); });
  MeasureLoopOptions options = Plain();
  options.max_repeats = 50;
  EXPECT_THAT(RunMeasureLoop(options, kernel).samples_ns, SizeIs(50));
}

TEST(MeasureLoopTest, TimeBudgetEndsSamplingButMinRepeatsHold) {
  FakeKernel kernel([](int n) { return Steady(n % 2 == 0 ? 40'000'000 : 80'000'000); });
  const MeasureLoopResult result = RunMeasureLoop(Plain(), kernel);
  EXPECT_THAT(result.samples_ns, SizeIs(5));
}

TEST(MeasureLoopTest, InterruptedSamplesAreDroppedAndCounted) {
  FakeKernel kernel([](int n) -> SampleSource::Sample {
    if (n % 2 == 0) return {.elapsed_ns = 9000, .interrupted = true};
    return {.elapsed_ns = 1000};
  });
  const MeasureLoopResult result = RunMeasureLoop(Plain(), kernel);
  EXPECT_THAT(result.samples_ns, Each(1000));
  EXPECT_EQ(result.median_ns, 1000);
  EXPECT_GE(result.dropped_samples, 4);
}

TEST(MeasureLoopTest, WhereEverySampleIsInterruptedTheShortestStandIn) {
  FakeKernel kernel([](int n) -> SampleSource::Sample { return {.elapsed_ns = 1000 + n, .interrupted = true}; });
  MeasureLoopOptions options = Plain();
  options.max_repeats = 10;
  const MeasureLoopResult result = RunMeasureLoop(options, kernel);
  EXPECT_THAT(result.samples_ns, ElementsAre(1001, 1002, 1003));
  EXPECT_EQ(result.dropped_samples, 7);
}

TEST(MeasureLoopTest, ClearlyBeatenCandidateIsStoppedAfterTwoSamples) {
  FakeKernel kernel([](int) { return Steady(3100); });
  MeasureLoopOptions options = Plain();
  options.best_so_far_ns = 1000;
  const MeasureLoopResult result = RunMeasureLoop(options, kernel);
  EXPECT_TRUE(result.beaten);
  EXPECT_THAT(result.samples_ns, SizeIs(2));
  EXPECT_EQ(result.median_ns, 3100);
}

TEST(MeasureLoopTest, OneQuickSampleKeepsACandidateInTheRace) {
  FakeKernel kernel([](int n) { return Steady(n == 2 ? 2000 : 3100); });
  MeasureLoopOptions options = Plain();
  options.best_so_far_ns = 1000;
  EXPECT_FALSE(RunMeasureLoop(options, kernel).beaten);
}

TEST(MeasureLoopTest, ShortKernelsAreBatchedAndReportedPerRun) {
  FakeKernel kernel([](int) { return Steady(300); });
  MeasureLoopOptions options = Plain();
  options.min_sample_ns = 10'000;
  const MeasureLoopResult result = RunMeasureLoop(options, kernel);
  EXPECT_EQ(kernel.last_runs(), 34);
  EXPECT_EQ(result.median_ns, 300);
}

TEST(MeasureLoopTest, WarmUpLastsAsLongAsAskedAndItsTimesAreNotSamples) {
  FakeKernel kernel([](int n) { return Steady(n < 20 ? 5000 : 1000); });
  MeasureLoopOptions options = Plain();
  options.warmup_ns = 100'000;
  const MeasureLoopResult result = RunMeasureLoop(options, kernel);
  EXPECT_THAT(result.samples_ns, Each(1000));
  EXPECT_EQ(kernel.calls(), 20 + 5);
}

TEST(MeasureLoopTest, NonsenseOptionsStillGiveOneSample) {
  FakeKernel kernel([](int) { return Steady(0); });
  const MeasureLoopResult result = RunMeasureLoop(
      {.min_repeats = -1, .max_repeats = 0, .warmup_ns = -5, .time_budget_ns = -1, .min_sample_ns = 0}, kernel);
  EXPECT_THAT(result.samples_ns, SizeIs(1));
}

}  // namespace
}  // namespace tilth::runner
