// From a partitioned model to tuning tasks.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "compiler/graph/partition.h"
#include "ir/target.h"
#include "tuner/tuning_task.h"

namespace tilth {

// One task per distinct kernel whose name contains `filter`, in order of first use in the model. NOT_FOUND: no kernel
// matches, with the names there are. Otherwise the errors of SearchSpace::Create.
StatusOr<std::vector<TuningTask>> MakeTasks(const Partition& partition, const Target& target,
                                            const std::string& filter);

}  // namespace tilth
