// The reuse model of nest_analysis.h.
#include "cost_model/nest_analysis.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace tilth {
namespace {

constexpr double kLineBytes = 64;
// Conflict misses and the streams that pass through take their share of a cache.
constexpr double kUsableShare = 0.75;

// The loops from this depth inwards are the innermost body: unrolled or vector.
int BodyDepth(const LoopNest& nest) {
  int depth = static_cast<int>(nest.loops.size());
  while (depth > 0 &&
         (nest.loops[depth - 1].kind == LoopKind::kUnrolled || nest.loops[depth - 1].kind == LoopKind::kVector)) {
    --depth;
  }
  return depth;
}

// The axis of the vector loop, or -1 for a scalar nest.
int VectorAxis(const LoopNest& nest) {
  for (const NestLoop& loop : nest.loops) {
    if (loop.kind == LoopKind::kVector) return loop.axis;
  }
  return -1;
}

double RoundUpRatio(int64_t extent, int64_t granule) {
  if (extent <= 0 || granule <= 1) return 1;
  return static_cast<double>((extent + granule - 1) / granule * granule) / static_cast<double>(extent);
}

// Consecutive elements that the loops from `depth` inwards touch.
double RunElements(const LoopNest& nest, const NestAccess& access, int depth) {
  if (access.is_packed) return static_cast<double>(nest.FootprintElements(access, depth));
  // Axes from the finest stride upwards; one that begins within (or right after) the run so far extends it.
  absl::InlinedVector<std::pair<int64_t, int64_t>, 16> axes;  // stride, extent
  for (size_t axis = 0; axis < access.coefficients.size(); ++axis) {
    const int64_t extent = nest.TileExtent(static_cast<int>(axis), depth);
    if (access.coefficients[axis] != 0 && extent > 1) axes.emplace_back(std::abs(access.coefficients[axis]), extent);
  }
  std::sort(axes.begin(), axes.end());
  int64_t run = 1;
  for (const auto& [stride, extent] : axes) {
    if (stride > run) break;
    run += stride * (extent - 1);
  }
  return static_cast<double>(std::min(run, std::max<int64_t>(1, access.num_elements)));
}

// The footprint of `access` below `depth` in bytes of whole cache lines.
double LineBytes(const LoopNest& nest, const NestAccess& access, int depth) {
  const double bytes = static_cast<double>(nest.FootprintElements(access, depth) * access.element_bytes);
  const double run_bytes = RunElements(nest, access, depth) * static_cast<double>(access.element_bytes);
  // A run that begins anywhere touches on average one line more than it fills.
  const double lines_per_run = access.is_packed ? run_bytes / kLineBytes : 1 + (run_bytes - 1) / kLineBytes;
  return bytes * std::max(1.0, lines_per_run * kLineBytes / std::max(run_bytes, 1.0));
}

bool Moves(const LoopNest& nest, const NestAccess& access, int loop) {
  return access.coefficients[nest.loops[loop].axis] != 0 && nest.loops[loop].extent > 1;
}

class Analyzer {
 public:
  Analyzer(const LoopNest& nest, const Target& target) : nest_(nest), target_(target) {}

  NestAnalysis Run() {
    result_.flops = nest_.flops;
    result_.lanes = std::max(1, nest_.vector_lanes);
    Buffers();
    Body();
    TileVisits();
    Waste();
    Tasks();
    Caches();
    Copies();
    return result_;
  }

 private:
  void Buffers() {
    const NestAccess* store = nullptr;
    result_.accesses.resize(nest_.accesses.size());
    for (size_t i = 0; i < nest_.accesses.size(); ++i) {
      const NestAccess& access = nest_.accesses[i];
      result_.compulsory_bytes += static_cast<double>(access.num_elements * access.element_bytes);
      result_.accesses[i].is_store = access.is_store;
      result_.accesses[i].is_packed = access.is_packed;
      if (access.is_store) store = &access;
    }
    reduced_.assign(nest_.axis_extents.size(), false);
    if (store == nullptr) return;
    double points = 1, outputs = 1;
    for (size_t axis = 0; axis < nest_.axis_extents.size(); ++axis) {
      points *= static_cast<double>(nest_.axis_extents[axis]);
      reduced_[axis] = store->coefficients[axis] == 0 && nest_.axis_extents[axis] > 1;
      if (!reduced_[axis]) outputs *= static_cast<double>(nest_.axis_extents[axis]);
    }
    result_.output_elements = outputs;
    result_.reduction_length = points / outputs;
  }

  void Body() {
    const int depth = BodyDepth(nest_);
    const int vector_axis = VectorAxis(nest_);
    for (int i = depth; i < static_cast<int>(nest_.loops.size()); ++i) {
      if (nest_.loops[i].kind == LoopKind::kUnrolled) result_.body_points *= static_cast<double>(nest_.loops[i].extent);
    }
    for (int i = 0; i < depth; ++i) result_.body_executions *= static_cast<double>(nest_.loops[i].extent);
    for (size_t a = 0; a < nest_.accesses.size(); ++a) {
      const NestAccess& access = nest_.accesses[a];
      AccessUse& use = result_.accesses[a];
      use.innermost_stride = vector_axis < 0 ? 0
                             : access.is_packed && access.coefficients[vector_axis] != 0
                                 ? 1
                                 : static_cast<double>(std::abs(access.coefficients[vector_axis]));
      double operations = 1;
      for (int i = depth; i < static_cast<int>(nest_.loops.size()); ++i) {
        if (nest_.loops[i].kind == LoopKind::kUnrolled && Moves(nest_, access, i)) {
          operations *= static_cast<double>(nest_.loops[i].extent);
        }
      }
      if (use.innermost_stride > 1) operations *= result_.lanes;  // a gather is one operation a lane
      use.body_operations = operations;
      if (!access.is_store && (result_.reduction_length <= 1 || MovesWithReduction(access))) {
        result_.body_loads += operations;
      } else {
        result_.body_stores += operations;
      }
    }
  }

  void TileVisits() {
    bool left_the_tile = false;
    for (int i = BodyDepth(nest_) - 1; i >= 0; --i) {
      const NestLoop& loop = nest_.loops[i];
      if (!reduced_[loop.axis]) {
        left_the_tile |= loop.extent > 1;
      } else if (left_the_tile) {
        result_.tile_visits *= static_cast<double>(loop.extent);
      }
    }
  }

  // False for what an epilogue reads, once per output.
  bool MovesWithReduction(const NestAccess& access) const {
    for (size_t axis = 0; axis < access.coefficients.size(); ++axis) {
      if (access.coefficients[axis] != 0 && reduced_[axis]) return true;
    }
    return false;
  }

  void Waste() {
    const int depth = BodyDepth(nest_);
    const int vector_axis = VectorAxis(nest_);
    for (size_t axis = 0; axis < nest_.axis_extents.size(); ++axis) {
      const int64_t extent = nest_.axis_extents[axis];
      const double waste = RoundUpRatio(extent, nest_.TileExtent(static_cast<int>(axis), depth));
      result_.tile_waste *= waste;
      result_.worst_axis_waste = std::max(result_.worst_axis_waste, waste);
      if (waste > 1) ++result_.tail_axes;
      if (static_cast<int>(axis) == vector_axis) result_.lane_waste = RoundUpRatio(extent, nest_.vector_lanes);
    }
  }

  void Tasks() {
    for (int i = 0; i < nest_.num_task_loops; ++i) result_.tasks *= static_cast<double>(nest_.loops[i].extent);
    const auto tasks = static_cast<int64_t>(std::max(1.0, result_.tasks));
    result_.task_imbalance = RoundUpRatio(tasks, std::max(1, target_.cores));
    result_.task_bytes = WorkingSetBytes(nest_.num_task_loops);
  }

  double WorkingSetBytes(int depth) const {
    double bytes = 0;
    for (const NestAccess& access : nest_.accesses) {
      bytes += static_cast<double>(nest_.FootprintElements(access, depth) * access.element_bytes);
    }
    return bytes;
  }

  void Caches() {
    const int64_t l3_bytes = target_.l3_bytes > target_.l2_bytes ? target_.l3_bytes : target_.l2_bytes;
    const std::array<int64_t, kCacheLevels> sizes = {target_.l1_bytes, target_.l2_bytes, l3_bytes};
    int depth = static_cast<int>(nest_.loops.size());
    double working_set = WorkingSetBytes(depth);
    for (int level = 0; level < kCacheLevels; ++level) {
      CacheUse& cache = result_.caches[level];
      cache.capacity_bytes = kUsableShare * static_cast<double>(sizes[level]);
      while (depth > 0) {
        const double outer = WorkingSetBytes(depth - 1);
        if (outer > cache.capacity_bytes) break;
        working_set = outer;
        --depth;
      }
      cache.footprint_bytes = working_set;
      for (int i = 0; i < depth; ++i) cache.entries *= static_cast<double>(nest_.loops[i].extent);
      Traffic(level, depth);
    }
  }

  void Traffic(int level, int depth) {
    for (size_t a = 0; a < nest_.accesses.size(); ++a) {
      const NestAccess& access = nest_.accesses[a];
      int mover = depth - 1;
      while (mover >= 0 && !Moves(nest_, access, mover)) --mover;
      double fetches = 1;
      for (int i = 0; i <= mover; ++i) fetches *= static_cast<double>(nest_.loops[i].extent);
      AccessUse& use = result_.accesses[a];
      use.traffic_bytes[level] = fetches * LineBytes(nest_, access, depth);
      if (level == 0) use.run_elements = RunElements(nest_, access, depth);
      result_.caches[level].traffic_bytes += use.traffic_bytes[level];
    }
  }

  void Copies() {
    for (const NestCopy& copy : nest_.copies) {
      const double bytes = 2.0 * 4.0 * static_cast<double>(copy.elements) * static_cast<double>(copy.executions);
      result_.copy_bytes += bytes;
      if (!copy.contiguous) result_.strided_copy_bytes += bytes;
      result_.copy_executions += static_cast<double>(copy.executions);
    }
  }

  const LoopNest& nest_;
  const Target& target_;
  NestAnalysis result_;
  absl::InlinedVector<bool, 16> reduced_;  // by axis
};

}  // namespace

NestAnalysis Analyze(const LoopNest& nest, const Target& target) { return Analyzer(nest, target).Run(); }

}  // namespace tilth
