// The canary: a loop of known work from registers, which nothing but the device itself can slow down. How fast its best
// pass is tells the clock rate; what the other passes lose tells who else uses the core.
#pragma once

#include <cstdint>

namespace tilth::runner {

struct CanaryReading {
  double gflops = 0;  // of the fastest pass
  double spread = 0;  // interquartile range / median of the passes' times
  double lost = 0;    // share of the wall time that the passes did not need: others' turns on the core, stolen time
};

// Runs passes of some 20 us for `duration_ns`, and up to four times as long while none is within 3 % of
// `expected_gflops`: a clock that slept takes a while to rise. 0: nothing is expected. Pin the thread before.
CanaryReading RunCanary(int64_t duration_ns, double expected_gflops);

}  // namespace tilth::runner
