#include "rpc_agent/runner/measure_loop.h"

#include <algorithm>
#include <cmath>

#include "base/statistics.h"

namespace tilth::runner {
namespace {

// Fewer clean samples than this do not stand alone.
constexpr size_t kMinCleanSamples = 3;
// Judging a candidate beaten takes two samples: one alone may have met a burst of noise.
constexpr size_t kMinSamplesToRace = 2;

// Runs until `warmup_ns` have passed, at least once; the time of the quickest run.
int64_t WarmUp(int64_t warmup_ns, SampleSource& source) {
  int64_t total = 0, quickest = INT64_MAX;
  do {
    const int64_t elapsed = std::max<int64_t>(1, source.Take(1).elapsed_ns);
    total += elapsed;
    quickest = std::min(quickest, elapsed);
  } while (total < warmup_ns);
  return quickest;
}

bool Beaten(const MeasureLoopOptions& options, const std::vector<double>& samples) {
  if (options.best_so_far_ns <= 0 || samples.size() < kMinSamplesToRace) return false;
  const double quickest = *std::min_element(samples.begin(), samples.end());
  return quickest > options.racing_factor * static_cast<double>(options.best_so_far_ns);
}

}  // namespace

double RelativeMedianCi(std::vector<double> values) {
  if (values.size() < 3) return 1;
  std::sort(values.begin(), values.end());
  // Ranks n/2 ± 1.96 sqrt(n)/2 (normal approximation of the binomial) enclose the median with 95 %.
  const double n = static_cast<double>(values.size());
  const double reach = 0.98 * std::sqrt(n);
  const size_t low = static_cast<size_t>(std::max(0.0, std::floor(n / 2 - reach)));
  const size_t high = static_cast<size_t>(std::min(n - 1, std::ceil(n / 2 + reach)));
  const double median = Quantile(values, 0.5);
  return median > 0 ? (values[high] - values[low]) / 2 / median : 1;
}

MeasureLoopResult RunMeasureLoop(const MeasureLoopOptions& options, SampleSource& source) {
  const int64_t quickest_ns = WarmUp(options.warmup_ns, source);
  const int64_t runs = std::max<int64_t>(1, (options.min_sample_ns + quickest_ns - 1) / quickest_ns);
  const size_t min_repeats = static_cast<size_t>(std::max(1, options.min_repeats));
  const size_t max_repeats = std::max(min_repeats, static_cast<size_t>(std::max(1, options.max_repeats)));

  MeasureLoopResult result;
  std::vector<double> interrupted;
  int64_t total_ns = 0;
  for (;;) {
    const SampleSource::Sample sample = source.Take(runs);
    total_ns += sample.elapsed_ns;
    const double per_run_ns = static_cast<double>(sample.elapsed_ns) / static_cast<double>(runs);
    (sample.interrupted ? interrupted : result.samples_ns).push_back(per_run_ns);
    const size_t clean = result.samples_ns.size(), taken = clean + interrupted.size();
    if (Beaten(options, result.samples_ns)) {
      result.beaten = true;
      break;
    }
    if (taken < min_repeats) continue;
    if (taken >= max_repeats || total_ns >= options.time_budget_ns) break;
    if (clean >= min_repeats && RelativeMedianCi(result.samples_ns) <= options.target_relative_ci) break;
  }
  std::sort(interrupted.begin(), interrupted.end());
  size_t used = 0;
  while (!result.beaten && result.samples_ns.size() < kMinCleanSamples && used < interrupted.size()) {
    result.samples_ns.push_back(interrupted[used++]);
  }
  result.dropped_samples = static_cast<int>(interrupted.size() - used);
  result.median_ns = Quantile(result.samples_ns, 0.5);
  result.spread = (Quantile(result.samples_ns, 0.75) - Quantile(result.samples_ns, 0.25)) / result.median_ns;
  return result;
}

}  // namespace tilth::runner
