// The inner loops of scoring, one lane at a time.
#include "cost_model/kernels/kernels.h"

#define TILTH_LANES 1

namespace tilth {
namespace {

#include "cost_model/kernels/lanes.inc"
//
#include "cost_model/kernels/forest_kernel.inc"

}  // namespace

const Kernels kScalarKernels = {.add_trees = &AddTrees};

}  // namespace tilth
