#include "rpc_agent/health_monitor.h"

#include "base/clock.h"
#include "base/logging.h"

namespace tilth {

DeviceHealth HealthMonitor::Read() {
  DeviceHealth health;
  if (StatusOr<DeviceHealth> canary = executor_.MeasureHealth(); canary.ok()) {
    health = *canary;
  } else {
    LogWarning("the canary gave no reading: ", canary.status().ToString());
  }
  const SensorReading reading = sensors_.Read();
  health.temperature_c = reading.temperature_c.value_or(0);
  health.frequency_mhz = reading.frequency_mhz.value_or(0);
  health.throttled = reading.throttled.value_or(false);
  health.throttling_readable = reading.throttled.has_value();
  health.measured_unix_ms = SystemClock().WallMs();
  std::lock_guard lock(mutex_);
  last_ = health;
  return health;
}

DeviceHealth HealthMonitor::last() const {
  std::lock_guard lock(mutex_);
  return last_;
}

}  // namespace tilth
