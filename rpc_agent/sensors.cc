#include "rpc_agent/sensors.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "base/files.h"
#include "base/strings.h"

namespace tilth {
namespace {

// Some zones report garbage while their sensor is off.
constexpr double kColdest = -40, kHottest = 150;
// The firmware's bits for what is so now; the higher ones tell what has been.
constexpr int64_t kUndervoltedOrCapped = 0xf;

std::string ReadWord(const std::string& path) {
  const StatusOr<std::string> text = ReadFile(path);
  return text.ok() ? std::string(ToStd(absl::StripAsciiWhitespace(*text))) : "";
}

std::optional<int64_t> ReadNumber(const std::string& path) {
  int64_t value = 0;
  return absl::SimpleAtoi(ReadWord(path), &value) ? std::optional(value) : std::nullopt;
}

// The paths of a class' members whose names begin with `prefix`.
std::vector<std::string> Members(const std::string& directory, const char* prefix) {
  std::vector<std::string> paths;
  for (const std::string& name : ListDirectory(directory).value_or(std::vector<std::string>())) {
    if (absl::StartsWith(name, prefix)) paths.push_back(StrCat(directory, "/", name));
  }
  return paths;
}

std::optional<double> ZoneTemperature(const std::string& zone) {
  const std::optional<int64_t> milli = ReadNumber(StrCat(zone, "/temp"));
  if (!milli) return std::nullopt;
  const double celsius = static_cast<double>(*milli) / 1000;
  return celsius > kColdest && celsius < kHottest ? std::optional(celsius) : std::nullopt;
}

// True if any says so, false if one that is known denies it.
std::optional<bool> Either(std::optional<bool> a, std::optional<bool> b) {
  if (!a || !b) return a ? a : b;
  return *a || *b;
}

}  // namespace

Sensors::Sensors(int core, std::string system_root)
    : devices_(StrCat(system_root, "/sys/devices")),
      classes_(StrCat(system_root, "/sys/class")),
      core_(std::max(0, core)) {}

SensorReading Sensors::Read() {
  SensorReading reading;
  reading.temperature_c = Temperature();
  const std::string clock = StrCat(devices_, "/system/cpu/cpu", core_, "/cpufreq/scaling_cur_freq");
  if (const std::optional<int64_t> khz = ReadNumber(clock)) reading.frequency_mhz = static_cast<double>(*khz) / 1000;
  reading.throttled = Either(Either(FirmwareThrottles(), CoolingDeviceIsActive()), ThrottleCountGrew());
  return reading;
}

std::vector<std::string> Sensors::ThermalZones() const {
  std::vector<std::string> names;
  for (const std::string& zone : Members(StrCat(classes_, "/thermal"), "thermal_zone")) {
    if (ZoneTemperature(zone)) names.push_back(ReadWord(StrCat(zone, "/type")));
  }
  return names;
}

std::optional<double> Sensors::Temperature() const {
  std::optional<double> hottest;
  for (const std::string& zone : Members(StrCat(classes_, "/thermal"), "thermal_zone")) {
    hottest = std::max(hottest, ZoneTemperature(zone));
  }
  return hottest;
}

// Raspberry Pi: "0x50005" or "50005".
std::optional<bool> Sensors::FirmwareThrottles() const {
  const std::string text = ReadWord(StrCat(devices_, "/platform/soc/soc:firmware/get_throttled"));
  int64_t flags = 0;
  if (!absl::SimpleHexAtoi(text, &flags)) return std::nullopt;
  return (flags & kUndervoltedOrCapped) != 0;
}

// Those that cool by slowing the processor down; fans do not count.
std::optional<bool> Sensors::CoolingDeviceIsActive() const {
  std::optional<bool> active;
  for (const std::string& device : Members(StrCat(classes_, "/thermal"), "cooling_device")) {
    const std::string type = absl::AsciiStrToLower(ReadWord(StrCat(device, "/type")));
    if (!absl::StrContains(type, "cpufreq") && !absl::StrContains(type, "processor")) continue;
    if (const std::optional<int64_t> state = ReadNumber(StrCat(device, "/cur_state"))) {
      active = Either(active, *state > 0);
    }
  }
  return active;
}

std::optional<bool> Sensors::ThrottleCountGrew() {
  const std::string path = StrCat(devices_, "/system/cpu/cpu", core_, "/thermal_throttle/core_throttle_count");
  const std::optional<int64_t> count = ReadNumber(path);
  const std::optional<int64_t> before = std::exchange(throttle_count_, count);
  if (!count || !before) return std::nullopt;
  return *count > *before;
}

}  // namespace tilth
