// The constants are round figures of current out-of-order cores; only the ranking of candidates matters.
#include "cost_model/analytic_prior.h"

#include <algorithm>

namespace tilth {
namespace {

constexpr double kFmaLatencyCycles = 4;
constexpr double kLoadsPerCycle = 2, kLoadsPerCycleArm = 1;
constexpr double kStoresPerCycle = 1;
constexpr double kBodyOverheadCycles = 1;    // loop counter and branch of one body execution
constexpr double kTileOverheadCycles = 20;   // accumulators cleared, folded and stored, pipeline filled again
constexpr double kTaskOverheadCycles = 150;  // an indirect call and the prologue of a task
constexpr double kInstructionCacheBytes = 24 << 10;
constexpr double kBytesPerInstruction = 8;
// Bytes per cycle that arrive in L1 from L2, in L2 from L3, in L3 from memory.
constexpr double kFetchBytesPerCycle[kCacheLevels] = {32, 14, 6};
constexpr double kCopyBytesPerCycle = 16;
constexpr double kStridedCopyBytesPerCycle = 2;
constexpr double kNotOverlapped = 0.3;

double ComputeCycles(const NestAnalysis& analysis, const LoopNest& nest, const Target& target) {
  const double fma_per_cycle = FmasPerCycle(target, nest.vector_lanes);
  const double issue = analysis.body_points / fma_per_cycle;
  const double loads = analysis.body_loads / (target.arch == Arch::kAArch64 ? kLoadsPerCycleArm : kLoadsPerCycle);
  const bool reduces = analysis.reduction_length > 1;
  const double stores = reduces ? 0 : analysis.body_stores / kStoresPerCycle;
  // Every accumulator is a chain: a body cannot be faster than its points on one chain one after another.
  const double chains = reduces ? std::max(1, nest.accumulator_registers) : analysis.body_points;
  const double latency = reduces ? kFmaLatencyCycles * analysis.body_points / chains : 0;
  double body = std::max({issue, loads, stores, latency}) + kBodyOverheadCycles;
  const double spilled = nest.accumulator_registers - (target.vector_registers - 2);
  if (reduces && spilled > 0) body += 2 * spilled;
  const double code_bytes = kBytesPerInstruction * static_cast<double>(nest.body_instructions);
  if (code_bytes > kInstructionCacheBytes) body *= 1.5;
  if (!reduces) return body * analysis.body_executions;
  const double tiles = analysis.tile_visits * analysis.output_elements / std::max(1.0, analysis.lanes * chains);
  return body * analysis.body_executions + (kTileOverheadCycles + analysis.body_stores) * tiles;
}

}  // namespace

double PriorEstimate::TotalNs() const {
  return std::max(compute_ns, memory_ns) + kNotOverlapped * std::min(compute_ns, memory_ns) + copy_ns + overhead_ns;
}

PriorEstimate EstimateTime(const NestAnalysis& analysis, const LoopNest& nest, const Target& target) {
  const double ns_per_cycle = 1 / std::max(0.1, target.clock_ghz);
  PriorEstimate estimate;
  estimate.compute_ns = ns_per_cycle * ComputeCycles(analysis, nest, target);
  for (int level = 0; level < kCacheLevels; ++level) {
    const double cycles = analysis.caches[level].traffic_bytes / kFetchBytesPerCycle[level];
    estimate.memory_ns = std::max(estimate.memory_ns, ns_per_cycle * cycles);
  }
  const double straight_bytes = analysis.copy_bytes - analysis.strided_copy_bytes;
  estimate.copy_ns =
      ns_per_cycle * (straight_bytes / kCopyBytesPerCycle + analysis.strided_copy_bytes / kStridedCopyBytesPerCycle);
  estimate.overhead_ns = ns_per_cycle * kTaskOverheadCycles * analysis.tasks;
  return estimate;
}

}  // namespace tilth
