// `tilth farm devices|jobs|drain|cordon|resume|reserve|release`: shows and steers a farm that runs.
#include <chrono>
#include <iostream>
#include <memory>
#include <thread>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "cli/commands.h"
#include "cli/farm.h"
#include "cli/farm_views.h"
#include "cli/table.h"
#include "nlohmann/json.hpp"
#include "proto/address.h"
#include "proto/names.h"

namespace tilth {
namespace {

struct Arguments {
  std::string address = "127.0.0.1:9190", device_class, device, user;
  bool json = false;
  double watch_seconds = 0;
};

// Prints what `view` gives, again and again if that is asked for, on a cleared screen.
Status Show(const Arguments& arguments, const std::function<StatusOr<std::string>()>& view) {
  for (;;) {
    TILTH_ASSIGN_OR_RETURN(const std::string text, view());
    if (arguments.watch_seconds <= 0) {
      std::cout << text;
      return absl::OkStatus();
    }
    std::cout << "\033[2J\033[H" << text << std::flush;
    std::this_thread::sleep_for(std::chrono::duration<double>(arguments.watch_seconds));
  }
}

StatusOr<std::string> Devices(const Arguments& arguments) {
  TILTH_ASSIGN_OR_RETURN(std::vector<DeviceStatus> devices, ListDevices(arguments.address, arguments.device_class));
  if (devices.empty() && !arguments.device_class.empty() && !arguments.json) {
    return StrCat("no devices of class ", arguments.device_class, "; `tilth farm devices` lists all\n");
  }
  if (arguments.device.empty()) {
    return arguments.json ? DevicesToJson(devices) : ShowDevices(std::move(devices), TerminalWidth());
  }
  std::erase_if(devices, [&](const DeviceStatus& status) {
    return !MeansDevice(arguments.device, status.device.host_name, status.agent_id);
  });
  if (devices.empty()) {
    return absl::NotFoundError(
        StrCat("no device has the agent id or host name '", arguments.device, "'; `tilth farm devices` lists them"));
  }
  return arguments.json ? DevicesToJson(devices) : DescribeDevices(devices, TerminalWidth());
}

StatusOr<std::string> Jobs(const Arguments& arguments) {
  TILTH_ASSIGN_OR_RETURN(const std::vector<JobStatus> jobs, ListJobs(arguments.address));
  if (arguments.json) return JobsToJson(jobs);
  TILTH_ASSIGN_OR_RETURN(const std::vector<DeviceStatus> devices, ListDevices(arguments.address, ""));
  return ShowJobs(jobs, devices, TerminalWidth());
}

Status Change(const Arguments& arguments, DeviceChange change) {
  TILTH_ASSIGN_OR_RETURN(const int devices, SetDevice(arguments.address, arguments.device, change, arguments.user));
  const std::string next = DescribeChange(change, arguments.device, devices, arguments.user);
  if (arguments.json) {
    const nlohmann::ordered_json document = {
        {"device", arguments.device}, {"change", ToString(change)}, {"devices", devices}, {"next", next}};
    std::cout << document.dump(2) << "\n";
  } else {
    std::cout << Wrap(next, TerminalWidth(), "");
  }
  return absl::OkStatus();
}

// One subcommand of `tilth farm` with what all have: the tracker's address, --json, an example and the exit code.
CLI::App* AddAction(CLI::App* farm, const std::string& name, const std::string& description,
                    const std::string& examples, const std::shared_ptr<Arguments>& arguments, int* exit_code,
                    std::function<Status(const Arguments&)> action) {
  CLI::App* command = farm->add_subcommand(name, description);
  command->footer(StrCat("Example:\n", examples));
  command->add_option("--farm", arguments->address, "The tracker, HOST:PORT")
      ->capture_default_str()
      ->check(CheckTrackerAddress);
  command->add_flag("--json", arguments->json, "One JSON document");
  command->callback([name, arguments, exit_code, action = std::move(action)] {
    *exit_code = ReportStatus(StrCat("farm ", name), action(*arguments));
  });
  return command;
}

void AddWatch(CLI::App* command, Arguments& arguments) {
  command->add_option("--watch", arguments.watch_seconds, "Show it again every so many seconds (default 2)")
      ->expected(0, 1)
      ->default_str("2")
      ->check(CLI::Range(0.1, 3600.0))
      ->excludes("--json");
}

}  // namespace

void AddFarmOperations(CLI::App* farm, int* exit_code) {
  const auto arguments = std::make_shared<Arguments>();
  Arguments& a = *arguments;
  const auto show = [](StatusOr<std::string> (*view)(const Arguments&)) {
    return [view](const Arguments& given) { return Show(given, [&] { return view(given); }); };
  };
  CLI::App* devices = AddAction(farm, "devices", "Lists devices: their state and why, speed, temperature",
                                "  tilth farm devices --farm lab:9190 --watch\n  tilth farm devices raspberry-3\n"
                                "speed: of the canary, as a share of what it was when the device was calibrated\n"
                                "-: not readable on this device",
                                arguments, exit_code, show(Devices));
  devices->add_option("DEVICE", a.device, "Everything about this one: a host name, or the beginning of an agent id")
      ->check(CheckNameArgument);
  devices->add_option("--device", a.device_class, "Only this class")->check(CheckNameArgument);
  AddWatch(devices, a);
  CLI::App* jobs = AddAction(farm, "jobs", "Lists tuning sessions, whose they are, and how far",
                             "  tilth farm jobs --farm lab:9190 --watch 5\n"
                             "left: about how long until all that is submitted is measured",
                             arguments, exit_code, show(Jobs));
  AddWatch(jobs, a);

  struct Verb {
    DeviceChange change;
    const char *description, *example;
  };
  constexpr Verb kVerbs[] = {
      {DeviceChange::kDrain, "Lets a device finish what it has, and gives it nothing more", "raspberry-3"},
      {DeviceChange::kCordon, "Gives a device nothing more and takes back what it has not begun", "raspberry-3"},
      {DeviceChange::kResume, "Ends drain, cordon and quarantine", "raspberry-3"},
      {DeviceChange::kReserve, "Keeps a device for one user", "raspberry-3 --user anna"},
      {DeviceChange::kRelease, "Ends a reservation", "raspberry-3"},
  };
  for (const Verb& verb : kVerbs) {
    const std::string name(ToString(verb.change));
    CLI::App* command = AddAction(
        farm, name, verb.description, StrCat("  tilth farm ", name, " ", verb.example, " --farm lab:9190"), arguments,
        exit_code, [change = verb.change](const Arguments& given) { return Change(given, change); });
    command->add_option("DEVICE", a.device, "A host name, or the beginning of an agent id")
        ->required()
        ->check(CheckNameArgument);
    if (verb.change != DeviceChange::kReserve) continue;
    command->add_option("--user,--for", a.user, "Whom")->required()->check(CheckNameArgument);
  }
}

}  // namespace tilth
