// When to warm up, how often to repeat, which samples to keep, when to stop: timing as pure logic over an injected
// source of samples, so that it is tested without a clock.
//
// A mean over a busy machine is biased upwards. So samples during which the thread was switched out involuntarily are
// dropped, the median of the others is the answer, and sampling goes on until that median is known well enough or the
// candidate is clearly beaten. Timing is of a warm cache: nothing is flushed between runs.
#pragma once

#include <cstdint>
#include <vector>

namespace tilth::runner {

// proto/measure.proto describes the fields (MeasureOptions).
struct MeasureLoopOptions {
  int min_repeats = 5;
  int max_repeats = 200;
  double target_relative_ci = 0.01;
  int64_t warmup_ns = 2'000'000;
  int64_t time_budget_ns = 60'000'000;
  int64_t min_sample_ns = 50'000;
  int64_t best_so_far_ns = 0;
  double racing_factor = 3.0;
};

// The kernel under measurement.
class SampleSource {
 public:
  struct Sample {
    int64_t elapsed_ns = 0;    // for all runs of the sample together
    bool interrupted = false;  // the thread was switched out involuntarily
  };
  virtual ~SampleSource() = default;
  // Runs the kernel `runs` >= 1 times in a row.
  virtual Sample Take(int64_t runs) = 0;
};

struct MeasureLoopResult {
  std::vector<double> samples_ns;  // per run, in order; never empty
  double median_ns = 0;
  double spread = 0;  // interquartile range / median
  int dropped_samples = 0;
  bool beaten = false;
};

// Warms up, then samples. If hardly any sample is free of interruptions (a kernel longer than a time slice on a shared
// core), the shortest interrupted ones stand in, and dropped_samples says how many were left out.
MeasureLoopResult RunMeasureLoop(const MeasureLoopOptions& options, SampleSource& source);

// Half the width of the distribution-free 95 % confidence interval of the median (from order statistics), divided by
// the median. 1 for fewer than three samples.
double RelativeMedianCi(std::vector<double> values);

}  // namespace tilth::runner
