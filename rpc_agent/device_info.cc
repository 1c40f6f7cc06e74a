#include "rpc_agent/device_info.h"

#include <sched.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/files.h"
#include "base/hash.h"

namespace tilth {
namespace {

// The value of the first "key : value" line of /proc/cpuinfo with one of these keys.
std::string CpuInfo(const std::string& cpuinfo, std::initializer_list<std::string_view> keys) {
  for (absl::string_view line : absl::StrSplit(cpuinfo, '\n')) {
    const std::pair<absl::string_view, absl::string_view> field = absl::StrSplit(line, absl::MaxSplits(':', 1));
    const std::string_view key = ToStd(absl::StripAsciiWhitespace(field.first));
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) continue;
    return std::string(ToStd(absl::StripAsciiWhitespace(field.second)));
  }
  return "";
}

std::string CacheSizes() {
  std::string text;
  for (int level = 0; level < 5; ++level) {
    const auto size = ReadFile(StrCat("/sys/devices/system/cpu/cpu0/cache/index", level, "/size"));
    if (size.ok()) StrAppend(&text, *size);
  }
  return text;
}

}  // namespace

std::vector<int> AllowedCores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cores;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return cores;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &set)) cores.push_back(core);
  }
  return cores;
}

Device DescribeDevice() {
  Device device;
  utsname names{};
  if (uname(&names) == 0) {
    device.host_name = names.nodename;
    device.architecture = names.machine;
  }
  const std::string cpuinfo = ReadFile("/proc/cpuinfo").value_or("");
  device.cpu_model = CpuInfo(cpuinfo, {"model name", "Model", "CPU part"});
  device.cpu_features = absl::StrSplit(CpuInfo(cpuinfo, {"flags", "Features"}), ' ', absl::SkipEmpty());
  std::sort(device.cpu_features.begin(), device.cpu_features.end());
  device.cores = static_cast<int>(std::max<size_t>(1, AllowedCores().size()));
  struct sysinfo memory{};
  if (sysinfo(&memory) == 0) device.memory_bytes = static_cast<int64_t>(memory.totalram) * memory.mem_unit;
  // Not the host's name: boards of one kind may stand in for each other.
  device.fingerprint =
      ContentHash(StrCat(device.architecture, "\n", device.cpu_model, "\n", absl::StrJoin(device.cpu_features, " "),
                         "\n", CpuInfo(cpuinfo, {"model", "CPU variant"}), "\n", CacheSizes(), "\n", device.cores));
  return device;
}

}  // namespace tilth
