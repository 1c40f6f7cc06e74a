// `tilth tune`: measures candidates of every kernel of a model and keeps the results in a tuning log.
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <limits>
#include <memory>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "base/hash.h"
#include "cli/artifact_cache_argument.h"
#include "cli/commands.h"
#include "cli/cost_model_argument.h"
#include "cli/identity_argument.h"
#include "cli/model_arguments.h"
#include "cli/tune_space.h"
#include "proto/address.h"
#include "proto/names.h"
#include "tuner/policies.h"
#include "tuner/session.h"

namespace tilth {
namespace {

struct Arguments {
  ModelArguments model;
  TuneOptions tune;
  std::string cost_model;
  std::string artifact_cache;
  std::string time_budget;
  bool json = false;
};

constexpr int kAnyNumber = std::numeric_limits<int>::max();

std::atomic<bool> stop_requested = false;
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may only touch lock-free atomics");

// The second signal ends the process the hard way.
void RequestStop(int signal) {
  stop_requested.store(true);
  std::signal(signal, SIG_DFL);
}

Status ParseTimeBudget(const std::string& text, double* seconds) {
  if (text.empty()) return absl::OkStatus();
  absl::Duration duration;
  if (!absl::ParseDuration(text, &duration) || duration <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError(
        StrCat("--time-budget ", text, ": give a positive duration, as in 90s, 10m or 1h30m"));
  }
  *seconds = absl::ToDoubleSeconds(duration);
  return absl::OkStatus();
}

bool IsSpace(const std::string& path) { return path.ends_with(".json"); }

// What says something about models or about where they are measured.
constexpr const char* kOptionsOfModels[] = {"--target", "--dim",   "--farm",           "--device",
                                            "--replay", "--model", "--artifact-cache", "--tasks"};

// The first such option that was given, or null.
const char* OptionOfModels(const CLI::App& command) {
  for (const char* option : kOptionsOfModels) {
    if (command.count(option) > 0) return option;
  }
  return nullptr;
}

StatusOr<int> RunTuneSpace(const Arguments& arguments) {
  const TuneOptions& tune = arguments.tune;
  SpaceTuneOptions options;
  options.path = arguments.model.model;
  options.log_path = tune.log_path;
  if (tune.trials > 0 || tune.time_budget_s > 0) options.trials = tune.trials > 0 ? tune.trials : kAnyNumber;
  options.time_budget_s = tune.time_budget_s;
  if (tune.seed > 0) options.seed = tune.seed;
  options.policy = tune.policy;
  std::signal(SIGINT, RequestStop);
  std::signal(SIGTERM, RequestStop);
  return TuneSpaceFile(options, arguments.json, &stop_requested);
}

StatusOr<int> RunTune(Arguments& arguments) {
  if (IsSpace(arguments.model.model)) return RunTuneSpace(arguments);
  TuneOptions& options = arguments.tune;
  TILTH_ASSIGN_OR_RETURN(LoadedModel model, LoadModel(arguments.model));
  options.target = model.target;
  TILTH_ASSIGN_OR_RETURN(options.cost_model, OpenCostModel(arguments.cost_model, model.target));
  options.model_name = arguments.model.model;
  // The extents of dynamic dimensions are a part of what the model computes.
  options.model_hash = arguments.model.dimensions.empty()
                           ? model.model_hash
                           : ContentHash(StrCat(model.model_hash, absl::StrJoin(arguments.model.dimensions, "\n")));

  std::signal(SIGINT, RequestStop);
  std::signal(SIGTERM, RequestStop);
  TILTH_ASSIGN_OR_RETURN(const std::unique_ptr<ArtifactCache> cache, OpenArtifactCache(arguments.artifact_cache));
  options.artifact_cache = cache.get();
  TuneSummary summary;
  {
    Progress progress(stderr, isatty(STDERR_FILENO) != 0);
    TILTH_ASSIGN_OR_RETURN(summary, Tune(model.partition, options, &progress, &stop_requested));
  }
  (arguments.json ? std::cerr : std::cout) << ToTable(summary);
  if (arguments.json) std::cout << ToJson(summary);
  std::cout.flush();
  if (!summary.interrupted) return kExitOk;
  std::cerr << "interrupted; run the same command to continue\n";
  return kExitFailure;
}

}  // namespace

void AddTuneCommand(CLI::App& app, int* exit_code) {
  CLI::App* command = app.add_subcommand("tune", "Searches for fast schedules of a model's kernels on a device");
  command->footer(
      "Examples:\n"
      "  tilth tune model.onnx --log tuning.db --trials 600\n"
      "  tilth tune model.onnx --log tuning.db --target rpi4 --farm lab:9190 --device rpi4 --time-budget 10m\n"
      "  tilth tune model.onnx --log again.db --replay tuning.db\n"
      "  tilth tune space.json --log tuning.db --trials 200\n"
      "A space of parameters of a kernel of your own is described in docs/parameter-spaces.md.\n"
      "A command that was interrupted, repeated, continues; one that was finished prints its summary again.");
  const auto arguments = std::make_shared<Arguments>();
  TuneOptions& tune = arguments->tune;
  AddModelArguments(command, &arguments->model);
  command->add_option("--log", tune.log_path, "the tuning log to record in; made if it is not there")->required();
  command
      ->add_option("--trials", tune.trials,
                   "measurements in total for this model, target and log (default: 1000; with --time-budget no limit)")
      ->check(CLI::Range(1, 100'000'000));
  command->add_option("--time-budget", arguments->time_budget, "stop searching after this long, as in 90s or 10m");
  command->add_option("--seed", tune.seed, "of the search's random numbers (default: 1)");
  CLI::Option* farm =
      command->add_option("--farm", tune.farm_address, "HOST:PORT of a tracker (default: measure on this machine)")
          ->check(CheckTrackerAddress);
  AddIdentityArgument(command);
  command->add_option("--device", tune.device_class, "the class of devices on that farm")
      ->needs(farm)
      ->check(CheckNameArgument);
  command->add_option("--tag", tune.device_tags, "only devices with this tag; may be repeated")
      ->needs(farm)
      ->check(CheckNameArgument);
  command
      ->add_option("--priority", tune.priority,
                   "sessions of a higher one go first; above 0 they go before those of other users and need an admin")
      ->needs(farm)
      ->check(CLI::Range(-100, 100));
  command
      ->add_option("--replay", tune.replay_path,
                   "a log with a session of this model: repeats it into --log, its results answering instead of a "
                   "device; --seed and --trials are that session's unless they are given")
      ->excludes(farm);
  command->add_option("--policy", tune.policy, "how to search (default: evolutionary)")
      ->check(CLI::IsMember(PolicyNames()));
  AddCostModelArgument(command, &arguments->cost_model);
  AddArtifactCacheArgument(command, &arguments->artifact_cache);
  command->add_option("--tasks", tune.task_filter, "only kernels whose name contains this");
  command->add_flag("--json", arguments->json, "print one JSON document; the table goes to stderr");
  command->callback([arguments, exit_code, command] {
    if (const char* option = OptionOfModels(*command); option != nullptr && IsSpace(arguments->model.model)) {
      *exit_code = ReportUsage("tune", StrCat(arguments->model.model, ": ", option,
                                              " is for models; a space of parameters is measured on this machine"));
      return;
    }
    if (!arguments->tune.farm_address.empty() && arguments->tune.device_class.empty()) {
      *exit_code = ReportUsage("tune", "--farm needs --device CLASS: the class of devices to measure on");
      return;
    }
    if (Status status = ParseTimeBudget(arguments->time_budget, &arguments->tune.time_budget_s); !status.ok()) {
      *exit_code = ReportUsage("tune", std::string(status.message()));
      return;
    }
    const StatusOr<int> result = RunTune(*arguments);
    *exit_code = result.ok() ? *result : ReportError("tune", result.status());
  });
}

}  // namespace tilth
