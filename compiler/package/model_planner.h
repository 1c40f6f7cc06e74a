// Decides where every buffer of every kernel call of a model lives: graph inputs and outputs where the caller has them,
// weights inside the library (packed where the kernel wants them packed), everything else in one shared arena.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "compiler/graph/partition.h"
#include "compiler/runtime/model_plan.h"
#include "ir/loop_program.h"

namespace tilth {

struct ModelPlan {
  std::vector<std::vector<TilthPlanBinding>> calls;  // for each call, one binding per buffer of its program
  std::vector<TilthPlanCopy> copies;
  std::string weights;
  int64_t arena_bytes = 0;
};

// `programs` holds the lowered kernel of each workload of the partition. Constants that only prepare phases read leave
// their packed form behind and nothing else. Deterministic. Errors: those of compiling the packing of weights.
StatusOr<ModelPlan> PlanModel(const Partition& partition, const std::vector<LoopProgram>& programs);

}  // namespace tilth
