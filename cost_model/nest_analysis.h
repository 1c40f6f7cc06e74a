// The numbers about a loop nest that both the features and the analytic prior are made of: what the innermost body
// does, how much is wasted in tails, and how many bytes each cache level has to fetch.
//
// Reuse model. The caches are LRU and hold a little less than their size. For each level, the tile that fits is the
// outermost depth whose working set (all accesses together) fits. An access then fetches its footprint at that depth
// once per iteration of the loops outside it, except that the loops just outside which do not move the access find the
// data still there.
#pragma once

#include <array>

#include "absl/container/inlined_vector.h"
#include "ir/target.h"
#include "search_space/loop_nest.h"

namespace tilth {

inline constexpr int kCacheLevels = 3;

struct CacheUse {
  double capacity_bytes = 0;   // usable size; level 3 repeats level 2 where the target has no third level
  double footprint_bytes = 0;  // working set of the tile that fits
  double entries = 1;          // times that tile is entered per run
  double traffic_bytes = 0;    // fetched into this level per run, in whole cache lines
};

struct AccessUse {
  std::array<double, kCacheLevels> traffic_bytes{};
  double body_operations = 0;   // load or store instructions in one execution of the innermost body
  double innermost_stride = 0;  // elements between neighbouring lanes (0: broadcast)
  double run_elements = 1;      // consecutive elements touched by the tile that fits level 1
  bool is_store = false;
  bool is_packed = false;
};

struct NestAnalysis {
  double flops = 0;
  double compulsory_bytes = 0;  // every accessed buffer once
  double output_elements = 0;
  double reduction_length = 1;  // iterations summed into one output element

  double tasks = 1;
  double task_imbalance = 1;  // tasks rounded up to a multiple of the cores, over tasks
  double task_bytes = 0;      // working set of one task

  double lanes = 1;
  double body_points = 1;      // vector operations of the unrolled innermost body per expression node: FMAs of a tile
  double body_executions = 1;  // times that body runs, whole tiles
  double body_loads = 0;       // in one execution of the body
  double body_stores = 0;      // with the loads of an epilogue; in a reduction, only after its last execution
  double tile_visits = 1;      // times accumulators are filled and stored: blocks of a split reduction
  double lane_waste = 1;       // lanes computed over lanes needed, >= 1
  double tile_waste = 1;       // points computed by whole register tiles over points needed, >= 1 (lanes included)
  double worst_axis_waste = 1;
  double tail_axes = 0;  // axes that a register tile does not divide

  std::array<CacheUse, kCacheLevels> caches;
  absl::InlinedVector<AccessUse, 8> accesses;  // in the order of LoopNest::accesses

  double copy_bytes = 0;          // read and written by copies that run inside the kernel
  double strided_copy_bytes = 0;  // of those, read in runs shorter than a vector
  double copy_executions = 0;
};

// Pure; thread-safe.
NestAnalysis Analyze(const LoopNest& nest, const Target& target);

}  // namespace tilth
