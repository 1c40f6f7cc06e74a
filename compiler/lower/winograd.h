// Lowering of convolutions by Winograd's minimal filtering (search_space/winograd_form.h).
#pragma once

#include "base/status.h"
#include "ir/loop_program.h"
#include "ir/workload.h"
#include "search_space/loop_nest.h"

namespace tilth {

StatusOr<LoopProgram> LowerWinograd(const Workload& workload, const WinogradSchedule& schedule);

}  // namespace tilth
