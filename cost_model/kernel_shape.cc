#include "cost_model/kernel_shape.h"

#include <algorithm>
#include <cstdlib>

#include "base/status.h"

namespace tilth {
namespace {

static_assert(kKernelLoops == LoopNest::kMaxLoops);

// Conflict misses and the streams that pass through take their share of a cache.
constexpr float kUsableShare = 0.75f;

KernelAccess ToKernelAccess(const NestAccess& access, const KernelShape& shape) {
  KernelAccess result;
  result.element_bytes = static_cast<float>(access.element_bytes);
  result.num_elements = static_cast<float>(std::max<int64_t>(1, access.num_elements));
  result.is_store = access.is_store;
  result.is_packed = access.is_packed;
  bool moves_with_reduction = false;
  for (int axis = 0; axis < shape.num_axes; ++axis) {
    if (access.coefficients[static_cast<size_t>(axis)] == 0) continue;
    result.moves[axis] = true;
    result.axes[result.num_axes++] = static_cast<uint8_t>(axis);
    moves_with_reduction |= shape.axis_is_reduced[axis];
  }
  auto stride = [&](uint8_t axis) { return std::abs(access.coefficients[axis]); };
  std::stable_sort(result.axes, result.axes + result.num_axes,
                   [&](uint8_t a, uint8_t b) { return stride(a) < stride(b); });
  for (int i = 0; i < result.num_axes; ++i) result.strides[i] = static_cast<float>(stride(result.axes[i]));
  if (shape.vector_axis >= 0 && result.moves[shape.vector_axis])
    result.lane_stride = access.is_packed ? 1 : static_cast<float>(stride(static_cast<uint8_t>(shape.vector_axis)));
  // What an epilogue reads, it reads once per output.
  result.is_body_load = !access.is_store && (shape.reduction_length <= 1 || moves_with_reduction);
  return result;
}

// Sets numbers of one lane.
struct LaneWriter {
  NestBlock* block;
  int lane;
  template <typename Value>
  void operator()(NestNumber number, Value value) const {
    block->numbers[number][lane] = static_cast<float>(value);
  }
};

void FillSchedule(const TiledSchedule& s, const LaneWriter& set) {
  using Left = TiledSchedule::Left;
  set(kNestIsTiled, 1);
  set(kNestRows, s.rows);
  set(kNestColumns, s.columns);
  set(kNestVectors, s.vectors);
  set(kNestRowTiles, s.row_tiles);
  set(kNestColumnTiles, s.column_tiles);
  set(kNestVectorTiles, s.vector_tiles);
  set(kNestKBlock, s.k_block);
  set(kNestKUnroll, s.k_unroll);
  set(kNestVectorsInside, s.vectors_inside);
  set(kNestVectorMajor, s.vector_major_tasks);
  set(kNestPackRight, s.pack_right);
  set(kNestLeftGuarded, s.left == Left::kGuarded);
  set(kNestLeftPadded, s.left == Left::kPadded);
  set(kNestLeftPanel, s.left == Left::kPanel);
}

void FillSchedule(const WinogradSchedule& s, const LaneWriter& set) {
  set(kNestIsWinograd, 1);
  set(kNestRows, s.rows);
  set(kNestVectors, s.vectors);
  set(kNestRowTiles, s.row_tiles);
  set(kNestVectorTiles, s.vector_tiles);
  set(kNestKUnroll, s.k_unroll);
  set(kNestVectorMajor, s.vector_major_tasks);
  set(kNestTileInputs, s.tile_inputs);
  set(kNestTransformInTask, s.transform_in_task);
}

void FillSchedule(const RowwiseSchedule& s, const LaneWriter& set) {
  set(kNestIsRowwise, 1);
  set(kNestRowwiseAccumulators, s.accumulators);
  set(kNestRowsPerTask, s.rows_per_task);
  set(kNestAcrossRows, s.across_rows);
}

void FillSchedule(const ElementwiseSchedule& s, const LaneWriter& set) {
  set(kNestIsElementwise, 1);
  set(kNestElementwiseVectors, s.vectors);
  set(kNestPointsPerTask, s.points_per_task);
}

}  // namespace

KernelTarget ToKernelTarget(const Target& target) {
  KernelTarget result;
  const int64_t sizes[kCacheLevels] = {target.l1_bytes, target.l2_bytes, std::max(target.l3_bytes, target.l2_bytes)};
  for (int level = 0; level < kCacheLevels; ++level)
    result.cache_bytes[level] = kUsableShare * static_cast<float>(std::max<int64_t>(1, sizes[level]));
  result.cores = static_cast<float>(std::max(1, target.cores));
  result.vector_lanes = static_cast<float>(std::max(4, target.vector_bytes)) / 4;
  result.vector_registers = static_cast<float>(std::max(1, target.vector_registers));
  result.fma_per_cycle = static_cast<float>(std::max(1, target.fma_per_cycle));
  result.loads_per_cycle = target.arch == Arch::kAArch64 ? 1 : 2;
  result.ns_per_cycle = 1 / static_cast<float>(std::max(0.1, target.clock_ghz));
  return result;
}

OwnedKernelShape::OwnedKernelShape(const NestShape& shape) {
  SetLoops(shape);
  SetSizes(shape);
  for (const NestAccess& access : shape.accesses) accesses_.push_back(ToKernelAccess(access, shape_));
  shape_.num_accesses = static_cast<int>(accesses_.size());
  shape_.accesses = accesses_.data();
}

void OwnedKernelShape::SetLoops(const NestShape& shape) {
  TILTH_CHECK(shape.loops.size() <= kKernelLoops && shape.axis_extents.size() <= kKernelAxes);
  shape_.num_loops = static_cast<int>(shape.loops.size());
  shape_.num_task_loops = shape.num_task_loops;
  shape_.body_depth = shape_.num_loops;
  auto is_body = [&](int loop) {
    const LoopKind kind = shape.loops[static_cast<size_t>(loop)].kind;
    return kind == LoopKind::kUnrolled || kind == LoopKind::kVector;
  };
  while (shape_.body_depth > 0 && is_body(shape_.body_depth - 1)) --shape_.body_depth;
  for (int i = 0; i < shape_.num_loops; ++i) {
    const NestLoop& loop = shape.loops[static_cast<size_t>(i)];
    shape_.loop_axis[i] = static_cast<uint8_t>(loop.axis);
    shape_.loop_is_unrolled[i] = loop.kind == LoopKind::kUnrolled;
    if (loop.kind == LoopKind::kVector) shape_.vector_axis = loop.axis;
  }
}

void OwnedKernelShape::SetSizes(const NestShape& shape) {
  shape_.num_axes = static_cast<int>(shape.axis_extents.size());
  const NestAccess* store = nullptr;
  double bytes = 0;
  for (const NestAccess& access : shape.accesses) {
    bytes += static_cast<double>(access.num_elements * access.element_bytes);
    if (access.is_store) store = &access;
  }
  double points = 1, outputs = store == nullptr ? 0 : 1;
  for (int axis = 0; axis < shape_.num_axes; ++axis) {
    const int64_t extent = shape.axis_extents[static_cast<size_t>(axis)];
    const bool reduced = store != nullptr && store->coefficients[static_cast<size_t>(axis)] == 0 && extent > 1;
    shape_.axis_extent[axis] = static_cast<float>(extent);
    shape_.axis_is_reduced[axis] = reduced;
    points *= static_cast<double>(extent);
    if (!reduced) outputs *= static_cast<double>(extent);
  }
  shape_.compulsory_bytes = static_cast<float>(bytes);
  shape_.outputs = static_cast<float>(outputs);
  shape_.reduction_length = outputs > 0 ? static_cast<float>(points / outputs) : 1;
}

void FillLane(const LoopNest& nest, const Target& target, int lane, NestBlock* block) {
  for (int i = 0; i < nest.num_loops(); ++i) {
    block->extents[i][lane] = static_cast<float>(nest.extents[static_cast<size_t>(i)]);
    block->covered[i][lane] =
        static_cast<float>(nest.extents[static_cast<size_t>(i)] * nest.steps[static_cast<size_t>(i)]);
  }
  const LaneWriter set{block, lane};
  set(kNestFlops, nest.flops);
  set(kNestLanes, std::max(1, nest.vector_lanes));
  set(kNestAccumulators, nest.accumulator_registers);
  set(kNestBodyInstructions, nest.body_instructions);
  set(kNestFmasPerCycle, std::max(1, FmasPerCycle(target, nest.vector_lanes)));
  double copy_bytes = 0, strided_bytes = 0, executions = 0;
  for (int i = 0; i < nest.num_copies; ++i) {
    const NestCopy& copy = nest.copies[static_cast<size_t>(i)];
    const double bytes = 2.0 * 4.0 * static_cast<double>(copy.elements) * static_cast<double>(copy.executions);
    copy_bytes += bytes;
    if (!copy.contiguous) strided_bytes += bytes;
    executions += static_cast<double>(copy.executions);
  }
  set(kNestCopyBytes, copy_bytes);
  set(kNestStridedCopyBytes, strided_bytes);
  set(kNestCopyExecutions, executions);
  std::visit([&](const auto& schedule) { FillSchedule(schedule, set); }, nest.schedule);
}

}  // namespace tilth
