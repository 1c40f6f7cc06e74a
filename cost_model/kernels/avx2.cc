// The inner loops of scoring, compiled for AVX2.
#include "cost_model/kernels/kernels.h"

#define TILTH_LANES 8

namespace tilth {
namespace {

#include "cost_model/kernels/lanes.inc"
//
#include "cost_model/kernels/forest_kernel.inc"

}  // namespace

const Kernels kAvx2Kernels = {.add_trees = &AddTrees};

}  // namespace tilth
