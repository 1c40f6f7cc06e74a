#include "rpc_agent/runner/canary.h"

#include <algorithm>
#include <vector>

#include "base/statistics.h"
#include "rpc_agent/runner/fma_loop.h"

namespace tilth::runner {
namespace {

constexpr int64_t kLongest = 4;  // times the duration
constexpr double kAwake = 0.97;  // of the expected speed

}  // namespace

CanaryReading RunCanary(int64_t duration_ns, double expected_gflops) {
  CanaryReading reading;
  std::vector<double> passes_ns;
  int64_t begin = NowNs(), now = begin;
  const int64_t last_end = begin + kLongest * duration_ns;
  for (;;) {
    const int64_t pass_begin = now;
    const double operations = FmaPass();
    now = NowNs();
    const double elapsed_ns = static_cast<double>(std::max<int64_t>(1, now - pass_begin));
    passes_ns.push_back(elapsed_ns);
    reading.gflops = std::max(reading.gflops, operations / elapsed_ns);
    if (now - begin < duration_ns) continue;
    if (reading.gflops >= kAwake * expected_gflops || now >= last_end) break;
    // What the clock did while it rose says nothing about its evenness.
    passes_ns.clear();
    begin = now;
  }
  const double median_ns = Quantile(passes_ns, 0.5);
  reading.spread = (Quantile(passes_ns, 0.75) - Quantile(passes_ns, 0.25)) / median_ns;
  const double needed_ns = median_ns * static_cast<double>(passes_ns.size());
  reading.lost = std::max(0.0, 1 - needed_ns / static_cast<double>(now - begin));
  return reading;
}

}  // namespace tilth::runner
