// Prints what one core can do at best, in fp32 GFLOP/s: the line that kernels are held against.
#include <cstdio>

#include "rpc_agent/runner/fma_loop.h"

int main() {
  constexpr int64_t kDurationNs = 300'000'000;
  std::printf("%.1f\n", tilth::runner::MeasureFmaGflops(kDurationNs));
}
