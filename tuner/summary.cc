// Formatting only.
#include "tuner/summary.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_format.h"
#include "base/strings.h"
#include "nlohmann/json.hpp"

namespace tilth {
namespace {

constexpr size_t kNameColumns = 38;

std::string Shortened(const std::string& name) {
  return name.size() <= kNameColumns ? name : name.substr(0, kNameColumns - 2) + "..";
}

std::string Speedup(double before_ns, double after_ns) {
  return before_ns > 0 && after_ns > 0 ? absl::StrFormat("%.2fx", before_ns / after_ns) : "-";
}

// Seconds to three decimals: sums must not depend on the order in which a session or its repetition adds them up.
double RoundToMilliseconds(double seconds) { return std::round(1000 * seconds) / 1000; }

// How many tasks ended why: "12 at the roofline, 3 converged, 2 wanted more".
std::string Ends(const std::vector<TaskSummary>& tasks) {
  std::map<std::string, int> counts;
  for (const TaskSummary& task : tasks) ++counts[task.settled_because.empty() ? "wanted more" : task.settled_because];
  std::string text;
  for (const auto& [why, count] : counts) StrAppend(&text, text.empty() ? "" : ", ", count, " ", why);
  return text;
}

std::string Row(const TaskSummary& task, double peak_gflops) {
  const double gflops = task.best_ns > 0 ? task.flops / task.best_ns : 0;
  const std::string share = peak_gflops > 0 ? absl::StrFormat("%.0f%%", 100 * gflops / peak_gflops) : "-";
  return absl::StrFormat("%-38s %3d %8s %8s %6s %7.1f %5s %6d %5d\n", Shortened(task.name), task.weight,
                         FormatTime(task.default_ns), FormatTime(task.best_ns), Speedup(task.default_ns, task.best_ns),
                         gflops, share, task.trials, task.failures);
}

}  // namespace

void AddModelTimes(TuneSummary* summary) {
  summary->default_ns = summary->tuned_ns = 0;
  for (const TaskSummary& task : summary->tasks) {
    if (task.default_ns <= 0 || task.best_ns <= 0) continue;
    summary->default_ns += task.weight * task.default_ns;
    summary->tuned_ns += task.weight * task.best_ns;
  }
}

std::string ToJson(const TuneSummary& summary) {
  nlohmann::ordered_json document;
  document["tasks"] = nlohmann::ordered_json::array();
  for (const TaskSummary& task : summary.tasks) {
    document["tasks"].push_back({{"workload", task.workload_hash},
                                 {"name", task.name},
                                 {"weight", task.weight},
                                 {"flops", task.flops},
                                 {"space_size", task.space_size},
                                 {"default_ns", task.default_ns},
                                 {"best_ns", task.best_ns},
                                 {"trials", task.trials},
                                 {"failures", task.failures},
                                 {"settled_because", task.settled_because}});
  }
  document["model"] = {{"default_ns", summary.default_ns}, {"tuned_ns", summary.tuned_ns}};
  document["trials"] = summary.trials;
  document["wall_s"] = RoundToMilliseconds(summary.wall_s);
  document["candidates_scored"] = summary.candidates_scored;
  document["build_s"] = RoundToMilliseconds(summary.build_s);
  document["measure_s"] = RoundToMilliseconds(summary.measure_s);
  document["search_s"] = RoundToMilliseconds(summary.search_s);
  document["learn_s"] = RoundToMilliseconds(summary.learn_s);
  document["trials_per_second"] = summary.wall_s > 0 ? summary.trials / summary.wall_s : 0;
  document["device_busy_fraction"] = summary.device_busy_fraction;
  document["duplicates"] = summary.duplicates;
  document["unrecorded"] = summary.unrecorded;
  document["stopped_because"] = summary.stopped_because;
  document["failures"] = summary.failures;
  // Names come from the user's model and may be any bytes.
  return document.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

std::string FormatTime(double ns) {
  if (ns <= 0) return "-";
  const char* unit = "ns";
  for (const char* larger : {"us", "ms", "s"}) {
    if (ns < 999.5) break;
    ns /= 1000;
    unit = larger;
  }
  return absl::StrFormat("%.*f %s", ns < 9.995 ? 2 : ns < 99.95 ? 1 : 0, ns, unit);
}

std::string ToTable(const TuneSummary& summary) {
  std::vector<TaskSummary> tasks = summary.tasks;
  std::stable_sort(tasks.begin(), tasks.end(), [](const TaskSummary& a, const TaskSummary& b) {
    return a.weight * a.default_ns > b.weight * b.default_ns;
  });
  std::string text = absl::StrFormat("%-38s %3s %8s %8s %6s %7s %5s %6s %5s\n", "kernel", "x", "default", "tuned",
                                     "gain", "GFLOP/s", "peak", "trials", "fails");
  for (const TaskSummary& task : tasks) text += Row(task, summary.peak_gflops);
  StrAppend(&text, absl::StrFormat("%-42s %8s %8s %6s\n", "sum of kernels x uses", FormatTime(summary.default_ns),
                                   FormatTime(summary.tuned_ns), Speedup(summary.default_ns, summary.tuned_ns)));
  StrAppend(&text, absl::StrFormat("%d trials in %.0f s, %d candidates scored, %.1f s building, %.1f s measuring",
                                   summary.trials, summary.wall_s, summary.candidates_scored, summary.build_s,
                                   summary.measure_s));
  if (summary.duplicates > 0) StrAppend(&text, "; ", summary.duplicates, " more had known machine code");
  text += "\n";
  if (summary.device_busy_fraction > 0) {
    text += absl::StrFormat("the device was busy %.1f%% of the time; %.1f s searching, %.1f s learning\n",
                            100 * summary.device_busy_fraction, summary.search_s, summary.learn_s);
  }
  if (!summary.stopped_because.empty()) {
    StrAppend(&text, "stopped because: ", summary.stopped_because, "; kernels: ", Ends(summary.tasks), "\n");
  }
  if (summary.unrecorded > 0) {
    StrAppend(&text, summary.unrecorded, " candidates had no measurement in the recorded session\n");
  }
  if (summary.peak_gflops > 0) text += absl::StrFormat("peak: %.0f GFLOP/s of one core\n", summary.peak_gflops);
  for (const auto& [kind, count] : summary.failures) StrAppend(&text, count, " failed: ", kind, "\n");
  if (summary.stale_records > 0) {
    StrAppend(&text, summary.stale_records, " records of the log do not fit today's search space and were left out\n");
  }
  return text;
}

}  // namespace tilth
