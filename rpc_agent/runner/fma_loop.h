// The device's measured limits: fused multiply-adds from registers, and a triad through memory.
#pragma once

#include <cstdint>

namespace tilth::runner {

// fp32 GFLOP/s of one core over about `duration_ns`, best of several bursts, with the widest vectors that the CPU has
// (chosen at run time): two operations per multiply-add. Ends early when a burst reaches `enough_gflops`, unless that
// is 0. Pin the thread before.
double MeasureFmaGflops(int64_t duration_ns, double enough_gflops = 0);

// One pass of such multiply-adds, some 20 us on a fast core: how many operations it did.
double FmaPass();

// a[i] = b[i] + s * c[i] over arrays much larger than caches: 12 bytes an element, in 1e9 bytes per second. 0 when
// there is no memory for the arrays.
double MeasureTriadGbps();

// Monotonic nanoseconds.
int64_t NowNs();

}  // namespace tilth::runner
