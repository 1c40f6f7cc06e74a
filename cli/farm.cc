// `tilth farm`: runs a tracker, and shows and steers one that runs.
#include <pthread.h>
#include <signal.h>

#include <iostream>
#include <memory>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/logging.h"
#include "cli/commands.h"
#include "cli/farm.h"
#include "cli/identity_argument.h"
#include "cli/table.h"
#include "farm/client.h"
#include "farm/security.h"
#include "farm/sqlite_store.h"
#include "farm/tracker_server.h"
#include "nlohmann/json.hpp"

namespace tilth {
namespace {

using Json = nlohmann::ordered_json;

struct Arguments {
  std::string listen = "127.0.0.1:9190", state_directory = "tilth-farm", port_file;
  TrackerOptions tracker;
  bool verbose = false, no_sync = false;
  bool insecure = false, yes_in_the_clear = false;
  std::string certificate_lifetime = "2160h";

  std::string address = "127.0.0.1:9190", device_class, device;
  bool resume = false, json = false;
};

// Blocks until Ctrl-C or SIGTERM. Called before any thread starts, so that all of them have the signals blocked.
class StopSignals {
 public:
  StopSignals() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGINT);
    sigaddset(&signals_, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  }
  void Wait() const {
    int signal = 0;
    sigwait(&signals_, &signal);
  }

 private:
  sigset_t signals_;
};

// Null if the state has not been initialised: in the clear.
StatusOr<std::unique_ptr<FarmSecurity>> OpenSecurity(const Arguments& arguments) {
  if (!FarmSecurity::IsInitialised(arguments.state_directory)) return nullptr;
  if (arguments.insecure) {
    return absl::FailedPreconditionError(
        StrCat("the state in ", arguments.state_directory, " has been initialised for TLS; leave --insecure out"));
  }
  absl::Duration lifetime;
  if (!absl::ParseDuration(arguments.certificate_lifetime, &lifetime) || lifetime <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError(
        StrCat("--certificate-lifetime ", arguments.certificate_lifetime, ": give a duration, as in 720h"));
  }
  const int64_t lifetime_s = absl::ToInt64Seconds(lifetime);
  return FarmSecurity::Open(arguments.state_directory, SystemClock(),
                            {.member_lifetime_s = lifetime_s, .server_lifetime_s = lifetime_s});
}

Status Serve(const Arguments& arguments) {
  const StopSignals stop;
  SetLogTag("tracker");
  if (arguments.verbose) SetLogLevel(LogLevel::kInfo);
  TILTH_RETURN_IF_ERROR(MakeDirectories(arguments.state_directory));
  const Durability durability = arguments.no_sync ? Durability::kProcessDeath : Durability::kPowerCut;
  TILTH_ASSIGN_OR_RETURN(const std::unique_ptr<Store> store,
                         OpenSqliteStore(StrCat(arguments.state_directory, "/tracker.db"), durability));
  TILTH_ASSIGN_OR_RETURN(const std::unique_ptr<FarmSecurity> security, OpenSecurity(arguments));
  TILTH_ASSIGN_OR_RETURN(
      const std::unique_ptr<TrackerServer> server,
      TrackerServer::Start(arguments.listen, arguments.tracker, *store,
                           {.security = security.get(),
                            .clear_text_allowed = arguments.insecure && arguments.yes_in_the_clear}));
  if (!arguments.port_file.empty()) {
    TILTH_RETURN_IF_ERROR(WriteFileAtomically(arguments.port_file, StrCat(server->port(), "\n")));
  }
  std::cout << "tracker listens on port " << server->port() << (security == nullptr ? " in the clear" : " with TLS")
            << ", state in " << arguments.state_directory
            << "; Ctrl-C ends it" << std::endl;
  stop.Wait();
  return absl::OkStatus();
}

Status ShowDevices(const Arguments& arguments) {
  TILTH_ASSIGN_OR_RETURN(const std::vector<DeviceStatus> devices,
                         ListDevices(arguments.address, arguments.device_class));
  if (arguments.json) {
    Json list = Json::array();
    for (const DeviceStatus& status : devices) {
      list.push_back({{"agent_id", status.agent_id},
                      {"device_class", status.device.device_class},
                      {"host", status.device.host_name},
                      {"state", status.state},
                      {"fingerprint", status.device.fingerprint},
                      {"architecture", status.device.architecture},
                      {"cpu", status.device.cpu_model},
                      {"cores", status.device.cores},
                      {"memory_bytes", status.device.memory_bytes},
                      {"peak_gflops", status.device.peak_gflops},
                      {"bandwidth_gbps", status.device.bandwidth_gbps},
                      {"trials_done", status.trials_done},
                      {"trials_failed", status.trials_failed},
                      {"busy_s", status.busy_seconds},
                      {"attached_s", status.attached_seconds},
                      {"canary_ratio", status.canary_ratio},
                      {"version", status.agent_version}});
    }
    std::cout << Json{{"devices", list}}.dump(2) << "\n";
    return absl::OkStatus();
  }
  Table table({{"class"},
               {"host", Column::kFlexible},
               {"state"},
               {"cpu", Column::kFlexible},
               {"peak GFLOP/s", Column::kNumber},
               {"trials", Column::kNumber},
               {"failed", Column::kNumber},
               {"busy", Column::kNumber},
               {"speed", Column::kNumber},
               {"agent"}});
  for (const DeviceStatus& status : devices) {
    const bool known = status.attached_seconds > 0;
    table.AddRow({status.device.device_class, status.device.host_name, status.state, status.device.cpu_model,
                  absl::StrFormat("%.1f", status.device.peak_gflops), FormatCount(status.trials_done),
                  FormatCount(status.trials_failed),
                  known ? absl::StrFormat("%.0f%%", 100 * status.busy_seconds / status.attached_seconds) : "-",
                  status.canary_ratio > 0 ? absl::StrFormat("%.2f", status.canary_ratio) : "-",
                  status.agent_id.substr(0, 8)});
  }
  std::cout << (table.empty() ? "no devices; start tilth-agent on one\n" : table.Render(TerminalWidth()));
  return absl::OkStatus();
}

Status ShowJobs(const Arguments& arguments) {
  TILTH_ASSIGN_OR_RETURN(const std::vector<JobStatus> jobs, ListJobs(arguments.address));
  if (arguments.json) {
    Json list = Json::array();
    for (const JobStatus& job : jobs) {
      list.push_back({{"session", job.session_id},
                      {"name", job.name},
                      {"device_class", job.device_class},
                      {"queued", job.queued},
                      {"running", job.running},
                      {"undelivered", job.undelivered},
                      {"delivered", job.delivered},
                      {"idle_s", job.idle_seconds}});
    }
    std::cout << Json{{"jobs", list}}.dump(2) << "\n";
    return absl::OkStatus();
  }
  Table table({{"session"},
               {"name", Column::kFlexible},
               {"class"},
               {"queued", Column::kNumber},
               {"running", Column::kNumber},
               {"undelivered", Column::kNumber},
               {"delivered", Column::kNumber},
               {"last seen", Column::kNumber}});
  for (const JobStatus& job : jobs) {
    table.AddRow({job.session_id.substr(0, 8), job.name, job.device_class, FormatCount(job.queued),
                  FormatCount(job.running), FormatCount(job.undelivered), FormatCount(job.delivered),
                  StrCat(FormatDuration(job.idle_seconds * 1e9), " ago")});
  }
  std::cout << (table.empty() ? "no sessions\n" : table.Render(TerminalWidth()));
  return absl::OkStatus();
}

Status Drain(const Arguments& arguments) {
  TILTH_RETURN_IF_ERROR(DrainDevice(arguments.address, arguments.device, arguments.resume));
  std::cout << arguments.device
            << (arguments.resume ? ": gets trials again\n" : ": finishes what it has and gets no more\n");
  return absl::OkStatus();
}

using Action = Status (*)(const Arguments&);

CLI::App* AddAction(CLI::App* farm, const std::string& name, const std::string& description, const std::string& example,
                    const std::shared_ptr<Arguments>& arguments, int* exit_code, Action action) {
  CLI::App* command = farm->add_subcommand(name, description);
  command->footer(StrCat("Example:\n  tilth farm ", name, " ", example));
  command->callback([name, arguments, exit_code, action] {
    const Status status = action(*arguments);
    *exit_code = status.ok() ? kExitOk : ReportError(StrCat("farm ", name), status);
  });
  return command;
}

void AddAddress(CLI::App* command, Arguments& arguments) {
  command->add_option("--farm", arguments.address, "The tracker, HOST:PORT")->capture_default_str();
}

}  // namespace

void AddFarmCommand(CLI::App& app, int* exit_code) {
  CLI::App* farm = app.add_subcommand("farm", "Runs a tracker for a farm of devices, and shows and steers it");
  farm->require_subcommand(1);
  farm->footer("Example:\n  tilth farm serve --listen 127.0.0.1:9190 --state /var/lib/tilth");
  const auto arguments = std::make_shared<Arguments>();
  Arguments& a = *arguments;

  CLI::App* serve = AddAction(farm, "serve", "Runs a tracker until Ctrl-C; it goes on where a former one was left",
                              "--listen 127.0.0.1:9190 --state /var/lib/tilth", arguments, exit_code, Serve);
  serve
      ->add_option("--listen", a.listen,
                   "HOST:PORT; port 0: any free one. Off loopback only with TLS: `tilth farm init` first")
      ->capture_default_str();
  serve->add_option("--state", a.state_directory, "Directory of the durable queue")->capture_default_str();
  serve->add_flag("--no-sync", a.no_sync,
                  "Do not wait for the disk: the newest trials and results survive the death of the process, "
                  "but not a power cut");
  serve->add_option("--port-file", a.port_file, "Write the port here once it listens");
  serve->add_option("--certificate-lifetime", a.certificate_lifetime,
                    "Of certificates that are made from now on; each is renewed after two thirds of it")
      ->capture_default_str();
  CLI::Option* insecure =
      serve->add_flag("--insecure", a.insecure, "Listen in the clear off loopback; say --yes-in-the-clear, too");
  serve
      ->add_flag("--yes-in-the-clear", a.yes_in_the_clear,
                 "Yes: anybody who reaches the tracker may run code on every device")
      ->needs(insecure);
  serve->add_option("--lease-ms", a.tracker.lease_ms, "How long a silent agent keeps a trial")
      ->capture_default_str()
      ->check(CLI::Range(100, 3'600'000));
  serve->add_flag("-v,--verbose", a.verbose, "Say what happens");

  CLI::App* devices = AddAction(farm, "devices", "Lists devices, their state and speed", "--farm lab:9190", arguments,
                                exit_code, ShowDevices);
  AddAddress(devices, a);
  devices->add_option("--device", a.device_class, "Only this class");
  devices->add_flag("--json", a.json, "One JSON document");

  CLI::App* jobs = AddAction(farm, "jobs", "Lists tuning sessions and their trials", "--farm lab:9190", arguments,
                             exit_code, ShowJobs);
  AddAddress(jobs, a);
  jobs->add_flag("--json", a.json, "One JSON document");

  CLI::App* drain = AddAction(farm, "drain", "Gives a device no more trials", "raspberry-3 --farm lab:9190", arguments,
                              exit_code, Drain);
  AddAddress(drain, a);
  drain->add_option("DEVICE", a.device, "Agent id or host name")->required();
  drain->add_flag("--resume", a.resume, "Give it trials again");

  AddFarmMembers(farm, exit_code);
  for (CLI::App* command : farm->get_subcommands(nullptr)) {
    if (command != serve) AddIdentityArgument(command);
  }
}

}  // namespace tilth
