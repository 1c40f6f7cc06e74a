// From the state of a session to its summary.
#pragma once

#include <vector>

#include "tuner/summary.h"
#include "tuner/task_scheduler.h"
#include "tuner/trial_log.h"
#include "tuner/tuning_task.h"

namespace tilth {

// All but what only the session itself knows: trials, peak, and how it ended.
TuneSummary SummaryOf(const std::vector<TuningTask>& tasks, const TaskScheduler& scheduler,
                      const SessionTotals& totals);

}  // namespace tilth
