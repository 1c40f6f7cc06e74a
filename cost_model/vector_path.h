// Which instruction set the vectorised parts of scoring use. The same source is compiled once for each, and all give
// the same bits (floating-point contraction is off, and no operation depends on the width of a vector).
#pragma once

#include <string_view>
#include <vector>

#include "cost_model/kernels/kernels.h"

namespace tilth {

enum class VectorPath {
  kScalar,    // one lane at a time
  kBaseline,  // what every machine of the architecture has: SSE2, NEON
  kAvx2,
  kAvx512,
};

std::string_view NameOf(VectorPath path);

// Those that this program has and this machine can run, the slowest first; never empty.
std::vector<VectorPath> AvailableVectorPaths();

// Of an available path.
const Kernels& KernelsOf(VectorPath path);

// Of the fastest available path. Thread-safe.
const Kernels& BestKernels();

}  // namespace tilth
