// Small search spaces and outcomes that tests of the tuner share.
#pragma once

#include <memory>

#include "ir/target.h"
#include "search_space/space.h"
#include "tests/ir/workloads.h"
#include "tuner/measurer.h"
#include "tuner/tuning_task.h"

namespace tilth::testing {

inline std::shared_ptr<const SearchSpace> MatmulSpace(int64_t m = 64, int64_t n = 64, int64_t k = 64) {
  return SearchSpace::Create(Matmul(m, n, k), ParseTarget("x86-64-v3").value()).value();
}

// A measured outcome of a candidate of `task`.
inline MeasureOutcome Measured(const TuningTask& task, const Candidate& candidate, double median_ns,
                               const std::string& origin = "model") {
  MeasureOutcome outcome;
  outcome.job.space = task.shared_space();
  outcome.job.candidate = candidate;
  outcome.job.origin = origin;
  outcome.artifact_hash = StrCat("artifact-", HashOf(candidate));
  outcome.result.median_ns = median_ns;
  outcome.result.samples_ns = {median_ns, median_ns};
  outcome.result.run_ms = 10;
  return outcome;
}

}  // namespace tilth::testing
