#include "rpc_agent/device_info.h"

#include <sched.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/strings.h"
#include "rpc_agent/cpu_parts.h"
#include "rpc_agent/sensors.h"

namespace tilth {
namespace {

std::string ReadLine(const std::string& path) {
  // Strings of a device tree end with a zero byte.
  const std::string text = ReadFile(path).value_or("");
  return std::string(ToStd(absl::StripAsciiWhitespace(absl::string_view(text.c_str()))));
}

std::vector<std::string> SortedNames(const std::string& directory) {
  std::vector<std::string> names = ListDirectory(directory).value_or(std::vector<std::string>());
  std::sort(names.begin(), names.end());
  return names;
}

// "1 Data 32K, 1 Instruction 32K, 2 Unified 1024K"
std::string Caches(const std::string& core_directory) {
  std::vector<std::string> caches;
  for (const std::string& index : SortedNames(StrCat(core_directory, "/cache"))) {
    if (!absl::StartsWith(index, "index")) continue;
    const std::string cache = StrCat(core_directory, "/cache/", index);
    caches.push_back(
        StrCat(ReadLine(cache + "/level"), " ", ReadLine(cache + "/type"), " ", ReadLine(cache + "/size")));
  }
  return absl::StrJoin(caches, ", ");
}

std::string NvidiaGpu(const std::string& root) {
  const std::string gpus = root + "/proc/driver/nvidia/gpus";
  std::vector<std::string> models;
  for (const std::string& name : SortedNames(gpus)) {
    const std::string model = CpuInfoField(ReadFile(StrCat(gpus, "/", name, "/information")).value_or(""), "Model");
    if (!model.empty()) models.push_back(model);
  }
  return absl::StrJoin(models, " + ");
}

// By its driver and, on PCI, its numbers: names are in libraries that a board need not have.
std::string DrmGpu(const std::string& root) {
  const std::string cards = root + "/sys/class/drm";
  for (const std::string& card : SortedNames(cards)) {
    // "card0", not its connectors "card0-HDMI-A-1".
    if (!absl::StartsWith(card, "card") || absl::StrContains(card, "-")) continue;
    const std::string device = StrCat(cards, "/", card, "/device");
    std::string text;
    for (absl::string_view line : absl::StrSplit(ReadFile(device + "/uevent").value_or(""), '\n')) {
      if (absl::ConsumePrefix(&line, "DRIVER=")) text = StrCat("GPU of driver ", line);
    }
    const std::string vendor = ReadLine(device + "/vendor"), number = ReadLine(device + "/device");
    if (!vendor.empty()) StrAppend(&text, text.empty() ? "GPU " : " ", vendor, ":", number);
    if (!text.empty()) return text;
  }
  return "";
}

std::string CpuModel(const std::string& root, const std::string& cpuinfo, const std::vector<CpuPart>& parts) {
  std::string board = ReadLine(root + "/proc/device-tree/model");
  if (board.empty()) board = CpuInfoField(cpuinfo, "Model");
  const std::string cores = DescribeParts(parts);
  return board.empty() ? cores : cores.empty() ? board : StrCat(board, " (", cores, ")");
}

std::string Fingerprint(const std::string& root, const Device& device, const std::vector<CpuPart>& parts) {
  std::string text = StrCat(device.architecture, "\n", device.cores, "\n", absl::StrJoin(device.cpu_features, " "),
                            "\n", device.accelerator, "\n");
  for (const CpuPart& part : parts) {
    const std::string core = StrCat(root, "/sys/devices/system/cpu/cpu", part.cores.front());
    StrAppend(&text, part.name, "\n", part.identity, "\n", part.cores.size(), "\n", Caches(core), "\n",
              ReadLine(core + "/cpufreq/cpuinfo_max_freq"), "\n");
  }
  // What the system keeps for itself differs from release to release.
  constexpr int64_t kGib = int64_t{1} << 30;
  return ContentHash(StrCat(text, (device.memory_bytes + kGib - 1) / kGib, " GiB\n"));
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

Device DescribeDevice(const std::string& system_root) {
  Device device;
  utsname names{};
  if (uname(&names) == 0) {
    device.host_name = names.nodename;
    device.architecture = names.machine;
    device.kernel_release = names.release;
  }
  const std::string cpuinfo = ReadFile(system_root + "/proc/cpuinfo").value_or("");
  const std::vector<CpuPart> parts = ParseCpuParts(cpuinfo);
  device.cpu_model = CpuModel(system_root, cpuinfo, parts);
  std::string features = CpuInfoField(cpuinfo, "flags");
  if (features.empty()) features = CpuInfoField(cpuinfo, "Features");
  device.cpu_features = absl::StrSplit(features, ' ', absl::SkipEmpty());
  std::sort(device.cpu_features.begin(), device.cpu_features.end());
  // Those of the device, not of this process, which has left the measuring core.
  device.cores = static_cast<int>(std::max<long>(1, sysconf(_SC_NPROCESSORS_ONLN)));
  struct sysinfo memory{};
  if (sysinfo(&memory) == 0) device.memory_bytes = static_cast<int64_t>(memory.totalram) * memory.mem_unit;
  device.thermal_zones = Sensors(-1, system_root).ThermalZones();
  device.accelerator = NvidiaGpu(system_root);
  if (device.accelerator.empty()) device.accelerator = DrmGpu(system_root);
  device.fingerprint = Fingerprint(system_root, device, parts);
  return device;
}

}  // namespace tilth
