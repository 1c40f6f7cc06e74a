// Lowering of row-by-row stages (search_space/rowwise_form.h).
#pragma once

#include "base/status.h"
#include "ir/loop_program.h"
#include "ir/workload.h"
#include "search_space/loop_nest.h"

namespace tilth {

StatusOr<LoopProgram> LowerRowwise(const Workload& workload, const RowwiseSchedule& schedule);

}  // namespace tilth
