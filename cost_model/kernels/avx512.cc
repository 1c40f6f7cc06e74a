// The inner loops of scoring, compiled for AVX-512.
#include <immintrin.h>

#include "cost_model/kernels/kernels.h"

#define TILTH_LANES 16

namespace tilth {
namespace {

#include "cost_model/kernels/lanes.inc"
//
#include "cost_model/kernels/forest_kernel.inc"

}  // namespace

const Kernels kAvx512Kernels = {.add_trees = &AddTrees};

}  // namespace tilth
