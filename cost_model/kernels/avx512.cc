// The inner loops of scoring, compiled for AVX-512.
#include <immintrin.h>

#include "cost_model/kernels/kernels.h"

#define TILTH_LANES 16

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

const Kernels kAvx512Kernels = {.write_features = &WriteFeatures, .add_trees = &AddTrees};

}  // namespace tilth
