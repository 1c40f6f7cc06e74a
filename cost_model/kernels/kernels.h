// The inner loops of scoring, compiled once per instruction set (cost_model/vector_path.h). Plain data and plain
// functions: sources compiled for a newer machine must not instantiate anything that others could be linked to.
#pragma once

#include <cstdint>

namespace tilth {

// Rows of a block of features (FeatureMatrix::kBlockRows).
inline constexpr int kKernelRows = 16;

// A tree of depth 6, padded to a complete one, in the order of a heap: the root is node 1, the children of n are 2n and
// 2n + 1. A row with feature < threshold goes to the first.
struct alignas(64) PackedTree {
  static constexpr int kDepth = 6;
  static constexpr int kNodes = 1 << kDepth;
  int32_t feature[kNodes];  // kKernelRows times the column: the place within a block. [0] is unused
  float threshold[kNodes];
  float leaf[kNodes];  // by node number minus kNodes
};

inline constexpr int kCacheLevels = 3;
inline constexpr int kKernelLoops = 32;  // LoopNest::kMaxLoops
inline constexpr int kKernelAxes = 32;

// An access of a shape: the axes that move it, from the finest stride upwards.
struct KernelAccess {
  int num_axes = 0;
  uint8_t axes[kKernelAxes];
  float strides[kKernelAxes];    // in elements, positive
  bool moves[kKernelAxes] = {};  // by axis
  float element_bytes = 4, num_elements = 1;
  float lane_stride = 0;  // elements between neighbouring lanes (0: broadcast)
  bool is_store = false, is_packed = false;
  bool is_body_load = false;  // read in every execution of the body; else with the stores, once per output
};

// A NestShape as the kernels read it, with what is the same for all its candidates.
struct KernelShape {
  int num_loops = 0, num_axes = 0, num_accesses = 0;
  int num_task_loops = 0;
  int body_depth = 0;    // the loops from here inwards are unrolled or vector loops: the innermost body
  int vector_axis = -1;  // -1: scalar
  uint8_t loop_axis[kKernelLoops];
  bool loop_is_unrolled[kKernelLoops];
  float axis_extent[kKernelAxes];
  bool axis_is_reduced[kKernelAxes];
  const KernelAccess* accesses = nullptr;
  float compulsory_bytes = 0;  // every accessed buffer once
  float outputs = 0;           // points of the axes that the store moves along
  float reduction_length = 1;  // iterations summed into one output
};

struct KernelTarget {
  float cache_bytes[kCacheLevels];  // usable; the third repeats the second where there is none
  float cores = 1, vector_lanes = 4, vector_registers = 16, fma_per_cycle = 2;
  float loads_per_cycle = 2, ns_per_cycle = 0.5f;
};

// The numbers of a candidate that are not its loops. Those of other kinds of schedules are zero.
enum NestNumber {
  kNestFlops,
  kNestLanes,
  kNestAccumulators,
  kNestBodyInstructions,
  kNestFmasPerCycle,  // of vectors as wide as its own
  kNestCopyBytes,     // read and written
  kNestStridedCopyBytes,
  kNestCopyExecutions,
  kNestIsTiled,
  kNestIsWinograd,
  kNestIsRowwise,
  kNestIsElementwise,
  kNestRows,  // register tile; and the tiles of a task
  kNestColumns,
  kNestVectors,
  kNestRowTiles,
  kNestColumnTiles,
  kNestVectorTiles,
  kNestKBlock,
  kNestKUnroll,
  kNestVectorsInside,
  kNestVectorMajor,
  kNestPackRight,
  kNestLeftGuarded,
  kNestLeftPadded,
  kNestLeftPanel,
  kNestTileInputs,
  kNestTransformInTask,
  kNestRowwiseAccumulators,
  kNestRowsPerTask,
  kNestAcrossRows,
  kNestElementwiseVectors,
  kNestPointsPerTask,
  kNumNestNumbers
};

// Sixteen candidates of one shape.
struct alignas(64) NestBlock {
  float extents[kKernelLoops][kKernelRows];
  float covered[kKernelLoops][kKernelRows];  // elements of its axis that the loop covers: extent * step
  float numbers[kNumNestNumbers][kKernelRows];
};

// Floats of scratch that write_features needs for each access.
inline constexpr int kScratchPerAccess = 12 * kKernelRows;

struct Kernels {
  // Writes a block of features (FeatureMatrix::block) of the candidates in `nests`, all finite. `scratch` is aligned to
  // 64 bytes and has kScratchPerAccess floats for each access of the shape.
  void (*write_features)(const KernelShape& shape, const KernelTarget& target, const NestBlock& nests, float* scratch,
                         float* features);

  // Adds the leaves that the rows of blocks 0 … num_blocks-1 reach, tree after tree, to sums[kKernelRows * num_blocks].
  // Block b begins at blocks + b * stride; no number in it is NaN.
  void (*add_trees)(const PackedTree* trees, int num_trees, const float* blocks, int64_t stride, int num_blocks,
                    float* sums);
};

extern const Kernels kScalarKernels, kBaselineKernels;
#ifdef __x86_64__
extern const Kernels kAvx2Kernels, kAvx512Kernels;
#endif

}  // namespace tilth
