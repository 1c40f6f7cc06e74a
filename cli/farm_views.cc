#include "cli/farm_views.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "cli/table.h"
#include "nlohmann/json.hpp"

namespace tilth {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kNotReadable[] = "not readable on this device";
constexpr size_t kShortId = 8;
// A client calls at least once a minute.
constexpr double kSilentClientSeconds = 120;

std::string Percent(double share) { return absl::StrFormat("%.0f %%", 100 * share); }
std::string Speed(double ratio) { return ratio > 0 ? Percent(ratio) : "-"; }
std::string Temperature(double celsius) { return celsius > 0 ? absl::StrFormat("%.0f °C", celsius) : "-"; }
std::string Ago(double seconds) { return StrCat(FormatDuration(seconds * 1e9), " ago"); }

double BusyShare(const DeviceStatus& status) {
  return status.attached_seconds > 0 ? std::min(1.0, status.busy_seconds / status.attached_seconds) : 0;
}

// Hosts may run several agents, and names are needed to steer them.
std::string NameOf(const DeviceStatus& status, const std::map<std::string, int>& hosts) {
  const std::string& host = status.device.host_name;
  return hosts.at(host) == 1 ? host : StrCat(host, "/", status.agent_id.substr(0, kShortId));
}

std::map<std::string, int> CountHosts(const std::vector<DeviceStatus>& devices) {
  std::map<std::string, int> hosts;
  for (const DeviceStatus& status : devices) ++hosts[status.device.host_name];
  return hosts;
}

// Of some states everybody knows what they mean.
bool ReasonMatters(const DeviceStatus& status) {
  return status.state != "idle" && status.state != "busy" && status.state != "offline";
}

void Sort(std::vector<DeviceStatus>* devices) {
  std::sort(devices->begin(), devices->end(), [](const DeviceStatus& a, const DeviceStatus& b) {
    return std::tie(a.device.device_class, a.device.host_name, a.agent_id) <
           std::tie(b.device.device_class, b.device.host_name, b.agent_id);
  });
}

// "name" and its value, aligned; empty values are left out.
class Description {
 public:
  explicit Description(int width) : width_(width) {}
  void Add(std::string_view name, const std::string& value) {
    if (value.empty()) return;
    constexpr int kColumn = 14;
    std::string lines = Wrap(value, width_, std::string(kColumn, ' '));
    lines.replace(0, std::min<size_t>(name.size() + 2, kColumn), StrCat("  ", name));
    text_ += lines;
  }
  void AddHeading(const std::string& text) { StrAppend(&text_, text, "\n"); }
  const std::string& text() const { return text_; }

 private:
  const int width_;
  std::string text_;
};

Json HealthToJson(const DeviceHealth& health) {
  const auto or_null = [](double value) { return value > 0 ? Json(value) : Json(nullptr); };
  return {{"speed", or_null(health.canary_ratio)},
          {"lost", health.canary_lost},
          {"spread", health.canary_spread},
          {"temperature_c", or_null(health.temperature_c)},
          {"frequency_mhz", or_null(health.frequency_mhz)},
          {"throttled", health.throttling_readable ? Json(health.throttled) : Json(nullptr)},
          {"measured_unix_ms", health.measured_unix_ms}};
}

std::string WhatItWaitsFor(const JobStatus& job, const std::vector<DeviceStatus>& devices) {
  if (job.queued + job.running == 0) return "";
  int there = 0, working = 0;
  for (const DeviceStatus& status : devices) {
    if (status.device.device_class != job.device_class || status.state == "offline") continue;
    ++there;
    working += status.state == "idle" || status.state == "busy" ? 1 : 0;
  }
  if (there == 0) return StrCat("waits for a device of class ", job.device_class, ": none is attached");
  if (working == 0) {
    return StrCat("waits for a device of class ", job.device_class, ": none of the ", there,
                  " takes trials now (`tilth farm devices` tells why)");
  }
  return "";
}

}  // namespace

std::string ShowDevices(std::vector<DeviceStatus> devices, int width) {
  if (devices.empty()) return "no devices; start tilth-agent on one\n";
  Sort(&devices);
  const std::map<std::string, int> hosts = CountHosts(devices);
  Table table({{"device", Column::kFlexible},
               {"class", Column::kFlexible},
               {"state"},
               {"speed", Column::kNumber},
               {"temp", Column::kNumber},
               {"busy", Column::kNumber},
               {"trials", Column::kNumber},
               {"failed", Column::kNumber}});
  for (const DeviceStatus& status : devices) {
    const std::string name = NameOf(status, hosts);
    const bool there = status.state != "offline";
    table.AddRow({name, status.device.device_class, status.state, there ? Speed(status.health.canary_ratio) : "-",
                  there ? Temperature(status.health.temperature_c) : "-", there ? Percent(BusyShare(status)) : "-",
                  FormatCount(status.trials_done), FormatCount(status.trials_failed)});
    if (ReasonMatters(status)) table.AddNote(status.reason);
    if (!status.warning.empty()) table.AddNote(StrCat("warning: ", status.warning));
    if (!status.reserved_for.empty()) table.AddNote(StrCat("reserved for ", status.reserved_for));
    if (!status.tags.empty()) table.AddNote(StrCat("tags: ", absl::StrJoin(status.tags, ", ")));
  }
  return table.Render(width);
}

std::string DescribeDevices(const std::vector<DeviceStatus>& devices, int width) {
  Description text(width);
  for (const DeviceStatus& status : devices) {
    const DeviceHealth& health = status.health;
    const Device& device = status.device;
    const bool measured = health.canary_ratio > 0;
    text.AddHeading(device.host_name);
    text.Add("agent", StrCat(status.agent_id, ", version ", status.agent_version));
    text.Add("class", device.device_class);
    text.Add("state", status.reason.empty() ? status.state : StrCat(status.state, ": ", status.reason));
    text.Add("warning", status.warning);
    text.Add("reserved for", status.reserved_for);
    text.Add("tags", absl::StrJoin(status.tags, ", "));
    text.Add("processor", StrCat(device.cpu_model, ", ", device.architecture, ", ", device.cores,
                                 device.cores == 1 ? " core, " : " cores, ", FormatBytes(device.memory_bytes)));
    text.Add("calibrated", absl::StrFormat("%.1f GFLOP/s, %.1f GB/s", device.peak_gflops, device.bandwidth_gbps));
    text.Add("canary", measured ? StrCat(Percent(health.canary_ratio), " of the calibrated speed, ",
                                         Percent(health.canary_lost), " of the core taken by others")
                                : "not measured yet");
    text.Add("in its class",
             status.normalization > 0 ? StrCat(Percent(status.normalization), " of the median speed") : "");
    text.Add("temperature", health.temperature_c > 0 ? Temperature(health.temperature_c) : kNotReadable);
    text.Add("clock", health.frequency_mhz > 0 ? absl::StrFormat("%.0f MHz", health.frequency_mhz) : kNotReadable);
    text.Add("throttled", !health.throttling_readable ? kNotReadable : health.throttled ? "yes" : "no");
    text.Add("trials",
             StrCat(FormatCount(status.trials_done), " done, ", FormatCount(status.trials_failed), " of them failed, ",
                    FormatCount(status.trials_spoiled), " more measured in vain because it was not well; busy ",
                    Percent(BusyShare(status)), " of the time since it attached"));
  }
  return text.text();
}

std::string DevicesToJson(const std::vector<DeviceStatus>& devices) {
  Json list = Json::array();
  for (const DeviceStatus& status : devices) {
    list.push_back({{"agent_id", status.agent_id},
                    {"device_class", status.device.device_class},
                    {"host", status.device.host_name},
                    {"state", status.state},
                    {"reason", status.reason},
                    {"warning", status.warning},
                    {"tags", status.tags},
                    {"reserved_for", status.reserved_for},
                    {"health", HealthToJson(status.health)},
                    {"normalization", status.normalization},
                    {"fingerprint", status.device.fingerprint},
                    {"architecture", status.device.architecture},
                    {"cpu", status.device.cpu_model},
                    {"cores", status.device.cores},
                    {"memory_bytes", status.device.memory_bytes},
                    {"peak_gflops", status.device.peak_gflops},
                    {"bandwidth_gbps", status.device.bandwidth_gbps},
                    {"trials_done", status.trials_done},
                    {"trials_failed", status.trials_failed},
                    {"trials_spoiled", status.trials_spoiled},
                    {"busy_s", status.busy_seconds},
                    {"attached_s", status.attached_seconds},
                    {"version", status.agent_version}});
  }
  return StrCat(Json{{"devices", list}}.dump(2), "\n");
}

std::string ShowJobs(const std::vector<JobStatus>& jobs, const std::vector<DeviceStatus>& devices, int width) {
  if (jobs.empty()) return "no jobs\n";
  Table table({{"job"},
               {"name", Column::kFlexible},
               {"user", Column::kFlexible},
               {"class", Column::kFlexible},
               {"queued", Column::kNumber},
               {"running", Column::kNumber},
               {"done", Column::kNumber},
               {"left", Column::kNumber}});
  for (const JobStatus& job : jobs) {
    table.AddRow({job.session_id.substr(0, kShortId), job.name, job.user.empty() ? "-" : job.user, job.device_class,
                  FormatCount(job.queued), FormatCount(job.running), FormatCount(job.undelivered + job.delivered),
                  job.eta_seconds > 0 ? FormatDuration(job.eta_seconds * 1e9) : "-"});
    if (job.priority != 0) table.AddNote(StrCat("priority ", job.priority));
    if (const std::string waits = WhatItWaitsFor(job, devices); !waits.empty()) table.AddNote(waits);
    if (job.idle_seconds > kSilentClientSeconds) {
      table.AddNote(StrCat("its client was last heard of ", Ago(job.idle_seconds)));
    }
  }
  return table.Render(width);
}

std::string JobsToJson(const std::vector<JobStatus>& jobs) {
  Json list = Json::array();
  for (const JobStatus& job : jobs) {
    list.push_back({{"session", job.session_id},
                    {"name", job.name},
                    {"user", job.user},
                    {"device_class", job.device_class},
                    {"priority", job.priority},
                    {"queued", job.queued},
                    {"running", job.running},
                    {"undelivered", job.undelivered},
                    {"delivered", job.delivered},
                    {"eta_s", job.eta_seconds > 0 ? Json(job.eta_seconds) : Json(nullptr)},
                    {"idle_s", job.idle_seconds}});
  }
  return StrCat(Json{{"jobs", list}}.dump(2), "\n");
}

std::string DescribeChange(DeviceChange change, const std::string& device, int devices, const std::string& user) {
  const std::string who = devices == 1 ? device : StrCat("each of the ", devices, " devices of ", device);
  switch (change) {
    case DeviceChange::kCordon:
      return StrCat(
          who,
          " gets nothing new: a running trial is finished, what waits beside it goes back to the queue. `tilth "
          "farm resume ",
          device, "` takes it back.");
    case DeviceChange::kDrain:
      return StrCat(who, " finishes what it has and then gets nothing. `tilth farm resume ", device,
                    "` takes it back.");
    case DeviceChange::kResume:
      return StrCat(who, " gets trials again; bad readings may still quarantine it.");
    case DeviceChange::kReserve:
      return StrCat(who, " gets only trials of ", user, " from now on; what it has is finished. `tilth farm release ",
                    device, "` ends that.");
    case DeviceChange::kRelease:
      return StrCat(who, " gets everybody's trials again.");
  }
  return "";
}

}  // namespace tilth
