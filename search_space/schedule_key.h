// Which schedules are the same program.
#pragma once

#include <cstdint>

#include "search_space/loop_nest.h"

namespace tilth {

// Equal for candidates that lower to the same program: knobs that a small extent clamps to the same tile.
uint64_t ScheduleKey(const LoopNest& nest);

}  // namespace tilth
