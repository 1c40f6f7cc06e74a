// Lowering of a single stage without a reduction, and of copies that other schedules make.
#pragma once

#include "base/status.h"
#include "compiler/lower/program_builder.h"
#include "search_space/loop_nest.h"

namespace tilth {

// One phase that computes `stage` (axes fused already).
LoopPhase ElementwisePhase(ProgramBuilder& builder, const FlatStage& stage, const ElementwiseSchedule& schedule,
                           const std::string& name);

StatusOr<LoopProgram> LowerElementwise(const Workload& workload, const ElementwiseSchedule& schedule);

}  // namespace tilth
