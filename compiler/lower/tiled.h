// Lowering of register-tiled reductions (search_space/tiled_form.h).
#pragma once

#include "base/status.h"
#include "ir/loop_program.h"
#include "ir/workload.h"
#include "search_space/loop_nest.h"

namespace tilth {

StatusOr<LoopProgram> LowerTiled(const Workload& workload, const TiledSchedule& schedule);

}  // namespace tilth
