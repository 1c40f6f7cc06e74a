// What a tuning session has achieved: the table for people and the JSON for scripts (DESIGN §6).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace tilth {

struct TaskSummary {
  std::string workload_hash;
  std::string name;
  int weight = 1;
  double flops = 0;
  uint64_t space_size = 0;
  double default_ns = 0;  // 0: not measured, or failed
  double best_ns = 0;     // 0: nothing has worked
  int trials = 0;
  int failures = 0;
  std::string settled_because;  // of ToString(TaskEnd); empty: it wants more trials
};

struct TuneSummary {
  std::vector<TaskSummary> tasks;
  // Sums over tasks of weight × time, of those tasks that have both times.
  double default_ns = 0;
  double tuned_ns = 0;
  int trials = 0;  // of this model, target and log, earlier sessions included, as are the following
  double wall_s = 0;
  int64_t candidates_scored = 0;
  double build_s = 0;
  double measure_s = 0;
  std::map<std::string, int> failures;  // by MeasureErrorKind
  int64_t stale_records = 0;            // of the log, that do not fit today's search space
  int duplicates = 0;                   // candidates whose machine code had been measured already
  double peak_gflops = 0;               // of the device, one core; 0: unknown
  double search_s = 0, learn_s = 0;     // of the tuner's own thread
  double device_busy_fraction = 0;      // of the time from the first trial to the last result (DeviceUse)
  int unrecorded = 0;                   // of a replay: candidates that the recorded session has not measured
  std::string stopped_because;          // "trials", "time budget", "converged", "interrupted", "end of the recording"
  bool interrupted = false;
};

// Fills default_ns and tuned_ns from `tasks`.
void AddModelTimes(TuneSummary* summary);

// One document, the output of `tilth tune --json`; scripts rely on its keys.
std::string ToJson(const TuneSummary& summary);

// A table of at most 100 columns, the costliest kernels first, and totals.
std::string ToTable(const TuneSummary& summary);

// "1.23 ms", "45.6 us": three significant digits.
std::string FormatTime(double ns);

}  // namespace tilth
