// Artifacts for tests: small kernels in C, compiled by the system's compiler while the test runs.
#pragma once

#include <string>

#include "base/status.h"
#include "proto/measure.h"

namespace tilth {

// The kernel y[i] = 2 x[i] + w[i % 10] over `n` floats, with `run_body` in place of the loop's body if given: C code
// that sees x, w, y, i, N and task; `preamble` stands before the function.
struct TestKernel {
  int n = 1000;
  std::string preamble;
  std::string run_body = "for (int i = 0; i < N; ++i) y[i] = 2 * x[i] + w[i % 10];";
  unsigned abi_version = 1;
};

// The bytes of the shared object. Compiled once per distinct kernel and process.
StatusOr<std::string> Compile(const TestKernel& kernel);

// A trial of the artifact that takes a few milliseconds.
Trial MakeTrial(const std::string& id, const std::string& artifact_hash, const std::string& baseline_hash);

}  // namespace tilth
