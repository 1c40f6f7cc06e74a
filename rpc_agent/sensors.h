// What the operating system tells about heat and clocks, where it tells anything. Boards differ and virtual machines
// know nothing: whatever cannot be read is left out, and the zeros of proto::DeviceHealth mean just that.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tilth {

struct SensorReading {
  std::optional<double> temperature_c;  // of the hottest thermal zone
  std::optional<double> frequency_mhz;  // of the core
  std::optional<bool> throttled;        // the clock is held down: heat, power, firmware
};

class Sensors {
 public:
  // `core`: whose clock is meant; negative: core 0. `system_root` stands for "/" (tests have their own).
  explicit Sensors(int core, std::string system_root = "");

  // Takes about as long as reading a dozen small files. x86 counts how often it throttled: a count that has grown since
  // the last call is throttling, so the first call cannot tell.
  SensorReading Read();

  // "cpu-thermal", "x86_pkg_temp": the zones that can be read.
  std::vector<std::string> ThermalZones() const;

 private:
  std::optional<double> Temperature() const;
  std::optional<bool> FirmwareThrottles() const;
  std::optional<bool> CoolingDeviceIsActive() const;
  std::optional<bool> ThrottleCountGrew();

  const std::string devices_, classes_;  // "/sys/devices", "/sys/class"
  const int core_;
  std::optional<int64_t> throttle_count_;
};

}  // namespace tilth
