// See the header.
#include "tuner/session_summary.h"

#include <string>

namespace tilth {

TuneSummary SummaryOf(const std::vector<TuningTask>& tasks, const TaskScheduler& scheduler,
                      const SessionTotals& totals) {
  TuneSummary summary;
  for (size_t i = 0; i < tasks.size(); ++i) {
    const TuningTask& task = tasks[i];
    summary.tasks.push_back({.workload_hash = task.workload_hash(),
                             .name = task.name(),
                             .weight = task.weight(),
                             .flops = task.flops(),
                             .space_size = task.space().Size(),
                             .default_ns = task.default_ns(),
                             .best_ns = task.best_ns(),
                             .trials = task.trials(),
                             .failures = task.num_failures(),
                             .settled_because = std::string(ToString(scheduler.WhySettled(static_cast<int>(i))))});
    for (const auto& [kind, count] : task.failures()) summary.failures[std::string(ToString(kind))] += count;
  }
  AddModelTimes(&summary);
  summary.wall_s = totals.split.wall_s;
  summary.candidates_scored = totals.split.candidates_scored;
  summary.search_s = totals.split.search_s;
  summary.learn_s = totals.split.learn_s;
  summary.build_s = totals.build_s;
  summary.measure_s = totals.measure_s;
  summary.duplicates = totals.duplicates;
  summary.stale_records = totals.stale_records;
  summary.device_busy_fraction = totals.split.device.BusyFraction();
  return summary;
}

}  // namespace tilth
