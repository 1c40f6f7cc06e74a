// Sessions of tuners that were killed: what the farm has measured for them is not lost.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/status.h"
#include "proto/measure.h"
#include "tuner/measurer.h"
#include "tuner/tuning_task.h"

namespace tilth {

// For each of the `sessions` that the tracker at `address` still knows: waits for what devices work on, hands the
// results to `record`, acknowledges them once it has returned OK, and closes the session. A session whose client is
// heard of meanwhile belongs to another process that lives, and is left alone.
Status CollectUnfinishedSessions(const std::string& address, const std::string& device_class,
                                 const std::vector<std::string>& sessions,
                                 const std::function<Status(const std::vector<MeasureResult>&)>& record);

// What `results` say about candidates of `tasks` for the target, by their notes. Comparisons at a session's end are
// left out: half of one is of no use.
std::vector<MeasureOutcome> OutcomesOf(const std::vector<MeasureResult>& results, const std::vector<TuningTask>& tasks,
                                       const std::string& target_hash);

}  // namespace tilth
