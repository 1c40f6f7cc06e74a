// Workload + LoopNest → LoopProgram.
#pragma once

#include "base/status.h"
#include "ir/loop_program.h"
#include "ir/workload.h"
#include "search_space/loop_nest.h"

namespace tilth {

StatusOr<LoopProgram> Lower(const Workload& workload, const LoopNest& nest);

// The simplest correct program: every stage in its own loops, no tiling, no vectors. The baseline that candidates are
// verified against on a device.
StatusOr<LoopProgram> LowerNaively(const Workload& workload);

}  // namespace tilth
