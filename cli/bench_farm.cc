// `tilth bench farm`: how much a tracker bears, and how fairly it shares.
#include <iostream>
#include <memory>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "absl/strings/str_format.h"
#include "base/files.h"
#include "cli/bench.h"
#include "cli/commands.h"
#include "cli/table.h"
#include "farm/simulation/load_test.h"
#include "farm/simulation/tracker_process.h"
#include "nlohmann/json.hpp"

namespace tilth {
namespace {

using Json = nlohmann::ordered_json;

struct Arguments {
  LoadOptions load;
  FairnessOptions fairness;
  bool only_fairness = false, no_sync = false, json = false;
};

StatusOr<std::unique_ptr<TrackerProcess>> StartTracker(const Arguments& arguments) {
  TILTH_ASSIGN_OR_RETURN(const std::string programs, ProgramDirectory());
  return TrackerProcess::Start(StrCat(programs, "/tilth"),
                               arguments.no_sync ? std::vector<std::string>{"--no-sync"} : std::vector<std::string>());
}

void Print(const LoadReport& report, const Arguments& arguments) {
  if (arguments.json) {
    std::cout << Json{{"agents", arguments.load.agents},
                      {"trials_per_second", report.trials_per_second},
                      {"p99_dispatch_ms", report.p99_dispatch_ms},
                      {"overhead_ms_median", report.overhead_ms_median},
                      {"tracker_rss_bytes", report.tracker_rss_bytes},
                      {"p50_dispatch_ms", report.p50_dispatch_ms},
                      {"tracker_cpu_share", report.tracker_cpu_share},
                      {"arrivals_per_s", arguments.load.arrivals_per_s},
                      {"artifact_bytes", arguments.load.artifact_bytes},
                      {"synchronous", !arguments.no_sync}}
                     .dump(2)
              << "\n";
    return;
  }
  std::cout << absl::StrFormat("%d simulated agents, %d users, artifacts of %s%s\n", arguments.load.agents,
                               arguments.load.users, FormatBytes(arguments.load.artifact_bytes),
                               arguments.no_sync ? ", without waiting for the disk" : "");
  std::cout << absl::StrFormat("  %-22s %8.0f trials/s (tracker: %.2f cores)\n", "saturated", report.trials_per_second,
                               report.tracker_cpu_share);
  std::cout << absl::StrFormat("  %-22s %8.2f ms median, %.2f ms p99, at %.0f trials/s\n", "submission to grant",
                               report.p50_dispatch_ms, report.p99_dispatch_ms, arguments.load.arrivals_per_s);
  std::cout << absl::StrFormat("  %-22s %8.2f ms median, for a trial that does nothing\n", "submission to result",
                               report.overhead_ms_median);
  std::cout << absl::StrFormat("  %-22s %8s at most\n", "tracker's memory", FormatBytes(report.tracker_rss_bytes));
}

void Print(const FairnessReport& report, const Arguments& arguments) {
  const FairnessOptions& options = arguments.fairness;
  if (arguments.json) {
    std::cout << Json{{"agents", options.agents},  {"queued", options.queued},    {"arriving", options.arriving},
                      {"alone_s", report.alone_s}, {"shared_s", report.shared_s}, {"ratio", report.Ratio()}}
                     .dump(2)
              << "\n";
    return;
  }
  std::cout << absl::StrFormat(
      "%d trials on %d agents: %.2f s alone, %.2f s beside a user with %d queued: %.2f times\n", options.arriving,
      options.agents, report.alone_s, report.shared_s, options.queued, report.Ratio());
}

Status BenchFarm(const Arguments& arguments) {
  TILTH_ASSIGN_OR_RETURN(const std::unique_ptr<TrackerProcess> tracker, StartTracker(arguments));
  if (arguments.only_fairness) {
    TILTH_ASSIGN_OR_RETURN(const FairnessReport report, MeasureFairness(arguments.fairness, *tracker));
    Print(report, arguments);
    return absl::OkStatus();
  }
  TILTH_ASSIGN_OR_RETURN(const LoadReport report, MeasureLoad(arguments.load, *tracker));
  Print(report, arguments);
  return absl::OkStatus();
}

}  // namespace

void AddBenchFarm(CLI::App* bench, int* exit_code) {
  const auto arguments = std::make_shared<Arguments>();
  LoadOptions& load = arguments->load;
  CLI::App* command = bench->add_subcommand("farm", "What a tracker bears, with simulated agents, and how it shares");
  command->footer("Examples:\n  tilth bench farm --agents 1000\n  tilth bench farm --fairness --json");
  command->add_option("--agents", load.agents, "simulated, each with a connection of its own")
      ->capture_default_str()
      ->check(CLI::Range(1, 100'000));
  command->add_option("--users", load.users, "clients that submit")->capture_default_str()->check(CLI::Range(1, 64));
  command->add_option("--seconds", load.seconds, "of each part")->capture_default_str()->check(CLI::PositiveNumber);
  command->add_option("--trial-ms", load.trial_ms, "what a trial takes, in the median")->capture_default_str();
  command->add_option("--arrivals", load.arrivals_per_s, "trials per second while dispatch is timed")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  command->add_option("--batch", load.batch, "trials per call while the tracker is saturated")->capture_default_str();
  command->add_option("--artifact-bytes", load.artifact_bytes, "size of a candidate's code")->capture_default_str();
  command->add_option("--seed", load.seed, "of arrivals and durations")->capture_default_str();
  command->add_flag("--fairness", arguments->only_fairness,
                    "instead: what a user with 50 trials waits beside one with 10,000");
  command->add_flag("--no-sync", arguments->no_sync, "the tracker does not wait for the disk");
  command->add_flag("--json", arguments->json, "print one JSON document");
  command->callback([arguments, exit_code] {
    const Status status = BenchFarm(*arguments);
    *exit_code = status.ok() ? kExitOk : ReportError("bench farm", status);
  });
}

}  // namespace tilth
