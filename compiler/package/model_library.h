// Links a model library: kernels, runtime, plan, weights and descriptor in one shared object that exports the model ABI
// (compiler/runtime/model_abi.h).
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "compiler/package/model_description.h"
#include "compiler/package/model_planner.h"
#include "ir/target.h"

namespace tilth {

// One compiled kernel: an object that defines `symbol`, a TilthKernel.
struct KernelObject {
  std::string symbol;
  std::string object;
};

// `kernels` and `description.kernels` correspond, as do `plan.calls` and `description.calls`. The result is the bytes
// of libNAME.so; the same arguments give the same bytes.
StatusOr<std::string> LinkModelLibrary(const ModelDescription& description, const ModelPlan& plan,
                                       const std::vector<KernelObject>& kernels, const Target& target);

}  // namespace tilth
