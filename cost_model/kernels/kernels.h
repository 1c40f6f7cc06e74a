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

struct Kernels {
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
