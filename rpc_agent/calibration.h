// What the device can do at best, as it was measured once: later readings are told in shares of it. It is kept, so that
// an agent that starts on a busy device does not take the busy one for the device.
#pragma once

#include <optional>
#include <string>

#include "base/status.h"

namespace tilth {

struct Calibration {
  double peak_gflops = 0;     // fp32 fused multiply-adds, one core
  double bandwidth_gbps = 0;  // triad, one core
};

// Nothing if there is none, it is damaged, or it was stored with another key.
std::optional<Calibration> LoadCalibration(const std::string& path, const std::string& key);

// `key`: what the figures depend on.
Status StoreCalibration(const std::string& path, const std::string& key, const Calibration& calibration);

}  // namespace tilth
