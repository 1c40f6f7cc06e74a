// The inner loops of scoring, with the vectors that every machine of the architecture has.
#include "cost_model/kernels/kernels.h"

#define TILTH_LANES 4

namespace tilth {
namespace {

#include "cost_model/kernels/lanes.inc"
//
#include "cost_model/kernels/forest_kernel.inc"

}  // namespace

const Kernels kBaselineKernels = {.add_trees = &AddTrees};

}  // namespace tilth
