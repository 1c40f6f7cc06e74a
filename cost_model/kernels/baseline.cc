// The inner loops of scoring, with the vectors that every machine of the architecture has.
#include "cost_model/kernels/kernels.h"

#define TILTH_LANES 4

namespace tilth {
namespace {

#include "cost_model/kernels/lanes.inc"
//
#include "cost_model/kernels/nest_analysis.inc"
//
#include "cost_model/kernels/analytic_prior.inc"
//
#include "cost_model/kernels/feature_kernel.inc"
//
#include "cost_model/kernels/forest_kernel.inc"

}  // namespace

const Kernels kBaselineKernels = {.write_features = &WriteFeatures, .add_trees = &AddTrees};

}  // namespace tilth
