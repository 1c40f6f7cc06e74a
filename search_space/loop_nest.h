// LoopNest: what a candidate means, in one small plain struct. Feature extraction and lowering both read it, so that
// what the cost model scores is what the code generator builds (DESIGN 5.1).
//
// Resolving a candidate allocates nothing: what all candidates of one structure share (the axes, the order of the
// loops, how the body touches memory) is a NestShape that the sketch owns; a LoopNest is its numbers.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "ir/loop_program.h"

namespace tilth {

// A loop of a NestShape. Which of its axis' elements it covers is the candidate's (LoopNest).
struct NestLoop {
  int axis = 0;
  LoopKind kind = LoopKind::kSerial;
};

// How the body touches one buffer: element index = sum over axes of coefficient * axis value (+ constant).
struct NestAccess {
  int tensor = -1;  // workload tensor; -1 for a buffer of the schedule's own (packed, panel)
  bool is_store = false;
  int64_t element_bytes = 4;
  int64_t num_elements = 0;           // of the whole buffer
  std::vector<int64_t> coefficients;  // per axis
  bool is_packed = false;             // read from a re-arranged copy, contiguous in the order of use
};

// What candidates with the same structure have in common. Immutable once built.
struct NestShape {
  std::string sketch;
  std::vector<int64_t> axis_extents;
  std::vector<NestLoop> loops;  // outermost first, at most LoopNest::kMaxLoops; those not needed have extent 1
  int num_task_loops = 0;       // the first loops make the tasks
  std::vector<NestAccess> accesses;
};

// A copy that the schedule makes before the body reads it.
struct NestCopy {
  int tensor = -1;
  int64_t elements = 0;    // per execution
  int64_t executions = 1;  // per run of the kernel
  bool contiguous = true;  // source is read in runs of consecutive elements
};

// A schedule of a tiled reduction (matrix product, convolution, depthwise convolution, pooling;
// search_space/tiled_form.h): lanes along the vector axis, a register tile of rows × columns points by `vectors`
// vectors.
struct TiledSchedule {
  int lanes = 1;
  int64_t rows = 1, columns = 1, vectors = 1;                 // register tile
  int64_t row_tiles = 1, column_tiles = 1, vector_tiles = 1;  // register tiles per task
  int64_t k_block = 1;                                        // of the split axis; its whole extent: no split
  int64_t k_unroll = 1;
  bool vectors_inside = true;       // order of register tiles inside a task: vector tiles innermost
  bool vector_major_tasks = false;  // order of tasks: vector blocks outermost
  bool pack_right = true;           // false: read the right operand where it is
  // How the left operand is read: where it is; where it is, with border tiles guarded; from a padded copy made first;
  // from a panel that each task packs in the order of use; where it is, without the window's taps that lie outside.
  enum class Left : uint8_t { kDirect, kGuarded, kPadded, kPanel, kClipped } left = Left::kDirect;
};

// A schedule of a convolution by Winograd's minimal filtering (search_space/winograd_form.h). The input tiles are
// transformed, then for each position of the transformed tiles there is a matrix product over the channels, whose
// register tile is rows (tiles of the output) × vectors (of output channels).
struct WinogradSchedule {
  int lanes = 1;
  int64_t tile_inputs = 4;  // m + r - 1 of F(m, r), along each window
  int64_t rows = 1, vectors = 1;
  int64_t row_tiles = 1, vector_tiles = 1;  // register tiles per task
  int64_t k_unroll = 1;
  bool vector_major_tasks = false;  // order of tasks: vector blocks outermost
  bool transform_in_task = true;    // false: all input tiles are transformed in a phase of their own
};

// A schedule of row-by-row stages (softmax, layer norm).
struct RowwiseSchedule {
  int lanes = 1;
  int64_t accumulators = 1;   // independent vectors in flight per reduction
  int64_t rows_per_task = 1;  // or vectors of rows, across rows
  bool across_rows = false;   // lanes run across rows instead of along columns
};

// A schedule of an elementwise stage or a copy.
struct ElementwiseSchedule {
  int lanes = 1;
  int vector_axis = 0;          // of the fused axes
  int64_t vectors = 1;          // unrolled vectors per step
  int64_t points_per_task = 1;  // of all other axes together
};

// A plain value that refers to its shape, which must outlive it.
struct LoopNest {
  static constexpr int kMaxLoops = 32;
  static constexpr int kMaxCopies = 4;

  const NestShape* shape = nullptr;
  // Loop i covers extents[i] steps of steps[i] elements of its axis; the last step may be partial. 1 past the last
  // loop.
  std::array<int64_t, kMaxLoops> extents, steps;
  std::array<NestCopy, kMaxCopies> copies;
  int num_copies = 0;
  double flops = 0;
  int vector_lanes = 1;
  int accumulator_registers = 0;  // vector registers held through the reduction
  int64_t body_instructions = 0;  // vector instructions in the unrolled innermost body, an estimate
  std::variant<TiledSchedule, WinogradSchedule, RowwiseSchedule, ElementwiseSchedule> schedule;

  explicit LoopNest(const NestShape* of) : shape(of) {
    extents.fill(1);
    steps.fill(1);
  }

  int num_loops() const { return static_cast<int>(shape->loops.size()); }
  void AddCopy(const NestCopy& copy) { copies[static_cast<size_t>(num_copies++)] = copy; }

  // Elements of `axis` covered by the loops from number `depth` inwards (at least 1).
  int64_t TileExtent(int axis, int depth) const;
  // Distinct elements of access `access` touched by one iteration of the loops outside `depth`, an upper estimate.
  int64_t FootprintElements(const NestAccess& access, int depth) const;
};

}  // namespace tilth
