// Kernels that do to a device what no kernel should do, and what becomes of each.
#pragma once

#include <string>
#include <vector>

#include "proto/measure.h"
#include "rpc_agent/test_kernels.h"

namespace tilth {

struct HostileKernel {
  std::string name;
  TestKernel kernel;
  MeasureErrorKind kind;
  std::string detail;  // a part of what is reported
};

// `deadline_ms` is that of their trials: some end no other way.
std::vector<HostileKernel> HostileKernels(int deadline_ms);

// Computes once, then finds the command of its runner on the stack, answers it and all others itself, and claims that
// every run takes a nanosecond.
TestKernel ForgerOfTimes();

}  // namespace tilth
