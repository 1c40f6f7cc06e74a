// A roofline-like estimate of a kernel's time without any measurement: ranks the first batch of a search and is a
// feature of the learned model.
#pragma once

#include "cost_model/nest_analysis.h"
#include "ir/target.h"

namespace tilth {

// What the time of one run on one core is made of, in nanoseconds.
struct PriorEstimate {
  double compute_ns = 0;   // issue of the innermost bodies, tails included
  double memory_ns = 0;    // traffic of the slowest level
  double copy_ns = 0;      // panels and padded copies
  double overhead_ns = 0;  // tasks and loop entries

  // Compute and memory overlap except for a part of the shorter one; copies and overhead do not.
  double TotalNs() const;
};

PriorEstimate EstimateTime(const NestAnalysis& analysis, const LoopNest& nest, const Target& target);

}  // namespace tilth
