// `tilth farm serve`: runs a tracker. The other parts of `tilth farm` have files of their own (farm.h).
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>

#include <iostream>
#include <memory>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/logging.h"
#include "base/posix.h"
#include "cli/commands.h"
#include "cli/farm.h"
#include "cli/identity_argument.h"
#include "farm/metrics.h"
#include "farm/security.h"
#include "farm/sqlite_store.h"
#include "farm/tracker_server.h"
#include "proto/address.h"
#include "proto/credentials.h"

namespace tilth {
namespace {

struct Arguments {
  std::string listen = "127.0.0.1:9190", state_directory = "tilth-farm", port_file, metrics;
  TrackerOptions tracker;
  bool verbose = false, no_sync = false;
  bool insecure = false, yes_in_the_clear = false;
  std::string certificate_lifetime = "2160h";
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

std::string CheckLifetime(const std::string& text) {
  absl::Duration lifetime;
  if (absl::ParseDuration(text, &lifetime) && lifetime >= absl::Seconds(1)) return "";
  return StrCat("'", text, "': give a duration of at least a second, as in 720h");
}

std::string CheckMetricsAddress(const std::string& address) {
  if (std::string fault = CheckListenAddress(address); !fault.empty()) return fault;
  return IsLoopback(address) ? "" : StrCat("'", address, "' would let everybody read them; give 127.0.0.1:PORT");
}

// Null if the state has not been initialised: in the clear.
StatusOr<std::unique_ptr<FarmSecurity>> OpenSecurity(const Arguments& arguments) {
  if (!FarmSecurity::IsInitialised(arguments.state_directory)) {
    if (!FileExists(StrCat(arguments.state_directory, "/audit.log"))) return nullptr;
    return absl::FailedPreconditionError(
        StrCat(arguments.state_directory, " was a farm with an authority, which is gone; restore ",
               arguments.state_directory, "/authority, or start with a new --state directory"));
  }
  if (arguments.insecure) {
    return absl::FailedPreconditionError(
        StrCat("the state in ", arguments.state_directory, " has been initialised for TLS; leave --insecure out"));
  }
  absl::Duration lifetime;
  TILTH_CHECK(absl::ParseDuration(arguments.certificate_lifetime, &lifetime));
  const int64_t lifetime_s = absl::ToInt64Seconds(lifetime);
  return FarmSecurity::Open(arguments.state_directory, SystemClock(),
                            {.member_lifetime_s = lifetime_s, .server_lifetime_s = lifetime_s});
}

Status Serve(const Arguments& arguments) {
  const StopSignals stop;
  SetLogTag("tracker");
  if (arguments.verbose) SetLogLevel(LogLevel::kInfo);
  const bool is_new = !FileExists(arguments.state_directory);
  TILTH_RETURN_IF_ERROR(MakeDirectories(arguments.state_directory));
  // What people tune is their own business.
  if (is_new) chmod(arguments.state_directory.c_str(), 0700);
  const StatusOr<UniqueFd> lock = LockFile(StrCat(arguments.state_directory, "/lock"));
  if (absl::IsFailedPrecondition(lock.status())) {
    return absl::FailedPreconditionError(
        StrCat("another tracker works on the state in ", arguments.state_directory, "; give this one its own --state"));
  }
  TILTH_RETURN_IF_ERROR(lock.status());
  const Durability durability = arguments.no_sync ? Durability::kProcessDeath : Durability::kPowerCut;
  TILTH_ASSIGN_OR_RETURN(const std::unique_ptr<Store> store,
                         OpenSqliteStore(StrCat(arguments.state_directory, "/tracker.db"), durability));
  TILTH_ASSIGN_OR_RETURN(const std::unique_ptr<FarmSecurity> security, OpenSecurity(arguments));
  TrackerOptions options = arguments.tracker;
  std::unique_ptr<FarmMetrics> metrics;  // outlives the server
  if (!arguments.metrics.empty()) {
    TILTH_ASSIGN_OR_RETURN(metrics, FarmMetrics::Serve(arguments.metrics), "--metrics");
    options.observer = metrics.get();
  }
  TILTH_ASSIGN_OR_RETURN(
      const std::unique_ptr<TrackerServer> server,
      TrackerServer::Start(
          arguments.listen, options, *store,
          {.security = security.get(), .clear_text_allowed = arguments.insecure && arguments.yes_in_the_clear}));
  if (!arguments.port_file.empty()) {
    TILTH_RETURN_IF_ERROR(WriteFileAtomically(arguments.port_file, StrCat(server->port(), "\n")));
  }
  std::cout << "tracker listens on port " << server->port() << (security == nullptr ? " in the clear" : " with TLS")
            << ", state in " << arguments.state_directory << "; Ctrl-C ends it" << std::endl;
  stop.Wait();
  return absl::OkStatus();
}

}  // namespace

void AddFarmCommand(CLI::App& app, int* exit_code) {
  CLI::App* farm = app.add_subcommand("farm", "Runs a tracker for a farm of devices, and shows and steers it");
  farm->require_subcommand(1);
  farm->footer("Example:\n  tilth farm serve --listen 127.0.0.1:9190 --state /var/lib/tilth");
  const auto arguments = std::make_shared<Arguments>();
  Arguments& a = *arguments;

  CLI::App* serve =
      farm->add_subcommand("serve", "Runs a tracker until Ctrl-C; it goes on where a former one was left");
  serve->footer("Example:\n  tilth farm serve --listen 127.0.0.1:9190 --state /var/lib/tilth");
  serve->callback([arguments, exit_code] {
    const Status status = Serve(*arguments);
    *exit_code = status.ok() ? kExitOk : ReportError("farm serve", status);
  });
  serve
      ->add_option("--listen", a.listen,
                   "HOST:PORT; port 0: any free one. Off loopback only with TLS: `tilth farm init` first")
      ->capture_default_str()
      ->check(CheckListenAddress);
  serve->add_option("--state", a.state_directory, "Directory of the durable queue")
      ->capture_default_str()
      ->check([](const std::string& path) { return path.empty() ? "it is empty" : ""; });
  serve->add_flag("--no-sync", a.no_sync,
                  "Do not wait for the disk: what the tracker has promised survives its process, but not a power cut");
  serve->add_option("--port-file", a.port_file, "Write the port here once it listens");
  serve->add_option("--metrics", a.metrics, "HOST:PORT on loopback: figures for Prometheus at http://HOST:PORT/metrics")
      ->check(CheckMetricsAddress);
  serve
      ->add_option("--certificate-lifetime", a.certificate_lifetime,
                   "Of certificates that are made from now on; each is renewed after two thirds of it")
      ->capture_default_str()
      ->check(CheckLifetime);
  CLI::Option* insecure =
      serve->add_flag("--insecure", a.insecure, "Listen in the clear off loopback; say --yes-in-the-clear, too");
  serve
      ->add_flag("--yes-in-the-clear", a.yes_in_the_clear,
                 "Yes: anybody who reaches the tracker may run code on every device")
      ->needs(insecure);
  serve->add_option("--lease-ms", a.tracker.lease_ms, "How long a silent agent keeps a trial")
      ->capture_default_str()
      ->check(CLI::Range(100, 3'600'000));
  serve->add_flag(
      "--no-quarantine", [&a](int64_t) { a.tracker.quarantine = false; },
      "Devices get trials, and their times are kept, however unwell they are");
  serve->add_flag("-v,--verbose", a.verbose, "Say what happens");
  AddFarmOperations(farm, exit_code);
  AddFarmMembers(farm, exit_code);
  for (CLI::App* command : farm->get_subcommands(nullptr)) {
    if (command != serve) AddIdentityArgument(command);
  }
}

}  // namespace tilth
