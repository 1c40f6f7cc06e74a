// tilth-agent: attaches this machine to a tracker as a device and measures what it is given. Arguments and wiring only.
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "absl/algorithm/container.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/files.h"
#include "base/logging.h"
#include "base/version.h"
#include "proto/address.h"
#include "proto/names.h"
#include "rpc_agent/agent.h"
#include "rpc_agent/containment.h"
#include "rpc_agent/describe.h"
#include "rpc_agent/device_info.h"
#include "rpc_agent/membership.h"

namespace tilth {
namespace {

constexpr int kExitFailure = 1, kExitUsage = 2;
constexpr int kLargestCore = 65'535;
// The runner itself needs some, and calibration most.
constexpr int64_t kSmallestMemoryMb = 128, kLargestMemoryMb = int64_t{1} << 30;
constexpr char kFooter[] =
    "Examples:\n"
    "  tilth-agent join lab:9190 --token TOKEN             as `tilth farm enroll` prints it; once\n"
    "  tilth-agent                                         attaches to the farm that was joined\n"
    "  tilth-agent --tracker 127.0.0.1:9190 --device-class rpi4    a tracker in the clear, on this machine\n"
    "The programs tilth-runner and tilth-agent belong in the same folder.";

struct Arguments {
  std::string tracker, device_class, token, work_directory, runner, runner_wrapper;
  bool joining = false;
  std::vector<std::string> tags;
  int core = -1;
  int64_t memory_limit_mb = -1;
  bool recalibrate = false, describe = false, json = false, verbose = false;
};

// $variable, or `below` in the home directory.
std::string UserDirectory(const char* variable, const char* below) {
  const char* value = std::getenv(variable);
  if (value != nullptr && *value != '\0') return value;
  const char* home = std::getenv("HOME");
  return home != nullptr && *home != '\0' ? StrCat(home, below) : "/var/tmp";
}

// Where `join` keeps what it got, and an agent without arguments finds it; as root, where the service does.
std::string JoinedDirectory() {
  if (geteuid() == 0) return "/var/lib/tilth-agent";
  return StrCat(UserDirectory("XDG_STATE_HOME", "/.local/state"), "/tilth-agent");
}

std::string WorkDirectory(const Arguments& arguments) {
  std::string directory = arguments.work_directory;
  if (directory.empty() && (arguments.joining || arguments.device_class.empty())) directory = JoinedDirectory();
  if (directory.empty()) {
    directory = StrCat(UserDirectory("XDG_CACHE_HOME", "/.cache"), "/tilth-agent/", arguments.device_class);
  }
  // Absolute: children have a working directory of their own.
  return std::filesystem::absolute(directory);
}

// The tracker and the class of the farm that was joined, where the command line has none.
Status FindFarm(const Arguments& arguments, AgentOptions* options) {
  options->tracker = arguments.tracker;
  options->device_class = arguments.device_class;
  const StatusOr<JoinedFarm> joined = ReadJoinedFarm(options->work_directory);
  if (joined.ok()) {
    if (options->tracker.empty()) options->tracker = joined->tracker;
    if (options->device_class.empty()) options->device_class = joined->device_class;
  } else if (!absl::IsNotFound(joined.status())) {
    return joined.status();
  }
  if (!options->tracker.empty() && !options->device_class.empty()) return absl::OkStatus();
  if (!options->tracker.empty()) return absl::InvalidArgumentError("--tracker needs --device-class");
  if (!options->device_class.empty()) return absl::InvalidArgumentError("--device-class needs --tracker");
  return absl::FailedPreconditionError(
      StrCat("no farm has been joined in ", options->work_directory,
             "; join one (`tilth-agent join HOST:PORT --token TOKEN`, as `tilth farm enroll --class CLASS` prints it), "
             "or give --tracker and --device-class"));
}

StatusOr<AgentOptions> MakeOptions(const Arguments& arguments) {
  AgentOptions options;
  options.work_directory = WorkDirectory(arguments);
  if (!arguments.describe) TILTH_RETURN_IF_ERROR(FindFarm(arguments, &options));
  options.tags = arguments.tags;
  std::string runner = arguments.runner;
  if (runner.empty()) {
    TILTH_ASSIGN_OR_RETURN(const std::string programs, ProgramDirectory());
    runner = StrCat(programs, "/tilth-runner");
  }
  if (!FileExists(runner)) {
    return absl::InvalidArgumentError(StrCat("there is no runner at ", runner, "; name it with --runner"));
  }
  options.executor.runner = absl::StrSplit(arguments.runner_wrapper, ' ', absl::SkipEmpty());
  options.executor.runner.push_back(runner);
  options.executor.work_directory = options.work_directory;
  const std::vector<int> cores = AllowedCores();
  if (arguments.core >= 0 && !absl::c_linear_search(cores, arguments.core)) {
    return absl::InvalidArgumentError(StrCat(
        "--core ", arguments.core, " is none of the cores that this process may use: ", absl::StrJoin(cores, ", ")));
  }
  options.recalibrate = arguments.recalibrate;
  options.executor.core = arguments.core >= 0 ? arguments.core : cores.empty() ? -1 : cores.back();
  // Half of the machine is more than any kernel's buffers, and leaves the other half to everybody else.
  options.executor.memory_limit_bytes =
      arguments.memory_limit_mb >= 0 ? arguments.memory_limit_mb << 20 : DescribeDevice().memory_bytes / 2;
  return options;
}

// Ctrl-C and SIGTERM end the agent between two trials. They are blocked in all threads, so before there is a second
// one, and taken by one.
sigset_t BlockStopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

void StopOnSignal(const sigset_t& signals, Agent& agent) {
  std::thread([signals, &agent] {
    int signal = 0;
    sigwait(&signals, &signal);
    agent.Stop();
    sigwait(&signals, &signal);
    _exit(kExitFailure);
  }).detach();
}

Status PrintDevice(const AgentOptions& options, bool as_json) {
  TILTH_RETURN_IF_ERROR(MakeDirectories(options.work_directory));
  TILTH_ASSIGN_OR_RETURN(const std::unique_ptr<TrialExecutor> executor, TrialExecutor::Create(options.executor));
  TILTH_ASSIGN_OR_RETURN(const Device device, KnowDevice(options, *executor));
  std::fputs((as_json ? DescribeAsJson(device) : DescribeForPeople(device)).c_str(), stdout);
  return absl::OkStatus();
}

Status Join(const Arguments& arguments) {
  const std::string work_directory = WorkDirectory(arguments);
  TILTH_ASSIGN_OR_RETURN(const JoinedFarm farm, JoinAsAgent(arguments.tracker, arguments.token, work_directory));
  std::printf("joined %s as a device of class %s (identity in %s)\nstart the agent: %s\n", farm.tracker.c_str(),
              farm.device_class.c_str(), work_directory.c_str(),
              arguments.work_directory.empty() ? "tilth-agent, or as a service: systemctl enable --now tilth-agent"
                                               : StrCat("tilth-agent --work-dir ", arguments.work_directory).c_str());
  return absl::OkStatus();
}

Status RunAgent(const Arguments& arguments) {
  TILTH_ASSIGN_OR_RETURN(AgentOptions options, MakeOptions(arguments));
  const sigset_t stop_signals = BlockStopSignals();
  const Containment containment(options.work_directory, options.executor.memory_limit_bytes);
  options.containment = containment.description();
  if (arguments.describe) return PrintDevice(options, arguments.json);
  TILTH_ASSIGN_OR_RETURN(const std::unique_ptr<Agent> agent, Agent::Create(options));
  StopOnSignal(stop_signals, *agent);
  return agent->Run();
}

// "" if `name` can be a device class, and a directory's name, else what is wrong with it.
std::string CheckClass(const std::string& name) {
  if (IsPlainName(name) && name[0] != '.') return "";
  return StrCat("'", Printable(name),
                "' cannot be a device class: letters, digits and the characters . _ @ + -, not begun by . or -");
}

std::string CheckMemoryLimit(const std::string& text) {
  int64_t mb = 0;
  if (absl::SimpleAtoi(text, &mb) && (mb == 0 || (mb >= kSmallestMemoryMb && mb <= kLargestMemoryMb))) return "";
  return StrCat("'", Printable(text), "': give at least ", kSmallestMemoryMb, " MiB, or 0 for none");
}

int Main(int argc, char** argv) {
  CLI::App app("Attaches this machine to a Tilth tracker as a device that measures kernels.", "tilth-agent");
  app.footer(kFooter);
  app.set_version_flag("--version", StrCat("tilth-agent ", kVersion));
  Arguments arguments;
  app.add_option("--tracker", arguments.tracker, "The tracker, HOST:PORT (default: of the farm joined)")
      ->check(CheckTrackerAddress);
  app.add_option("--device-class", arguments.device_class,
                 "Devices of one class are interchangeable (default: as joined)")
      ->check(CheckClass);
  app.add_option("--work-dir", arguments.work_directory,
                 "Identity, caches and unsent results (default: ~/.local/state/tilth-agent, for root "
                 "/var/lib/tilth-agent; with --device-class ~/.cache/tilth-agent/CLASS)");
  app.add_option("--tag", arguments.tags, "What this board has and a session may ask for: fan, ram-8g; may be repeated")
      ->check(CheckNameArgument);
  app.add_option("--core", arguments.core, "The core to measure on (default: the last one)")
      ->check(CLI::Range(0, kLargestCore));
  app.add_option("--memory-limit", arguments.memory_limit_mb, "Of a trial, in MiB; 0: none (default: half of memory)")
      ->check(CheckMemoryLimit);
  app.add_flag("--recalibrate", arguments.recalibrate, "Measure the device's peaks again, although they are known");
  app.add_option("--runner", arguments.runner, "The tilth-runner to use (default: beside this program)");
  app.add_option("--runner-wrapper", arguments.runner_wrapper, "Put before the runner: \"qemu-aarch64 -L SYSROOT\"");
  CLI::Option* describe =
      app.add_flag("--describe", arguments.describe, "Say what is known of this device, and what contains candidates");
  app.add_flag("--json", arguments.json, "With --describe: as JSON")->needs(describe);
  app.add_flag("-v,--verbose", arguments.verbose, "Say what happens");
  CLI::App* join = app.add_subcommand("join", "Makes this machine a device of a farm, with a token; once");
  join->add_option("TRACKER", arguments.tracker, "HOST:PORT")->required()->check(CheckTrackerAddress);
  join->add_option("--token", arguments.token, "As `tilth farm enroll` printed it")->required();
  join->add_option("--work-dir", arguments.work_directory, "As of the agent");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    const std::string command = join->parsed() ? "tilth-agent join" : "tilth-agent";
    std::fprintf(stderr, "%s: error: %s\nTry '%s --help'.\n", command.c_str(), error.what(), command.c_str());
    return kExitUsage;
  }
  SetLogTag("agent");
  if (arguments.verbose) SetLogLevel(LogLevel::kInfo);
  arguments.joining = join->parsed();
  const Status status = arguments.joining ? Join(arguments) : RunAgent(arguments);
  if (status.ok()) return 0;
  std::fprintf(stderr, "tilth-agent: error: %s\n", std::string(ToStd(status.message())).c_str());
  return absl::IsInvalidArgument(status) ? kExitUsage : kExitFailure;
}

}  // namespace
}  // namespace tilth

int main(int argc, char** argv) { return tilth::Main(argc, argv); }
