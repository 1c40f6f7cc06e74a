// See the header.
#include "tuner/trial_record.h"

#include <cmath>

#include "nlohmann/json.hpp"

namespace tilth {

MeasureErrorKind ErrorOf(const TuningRecord& record) {
  for (int kind = 1; kind < kNumMeasureErrorKinds; ++kind) {
    if (record.status == ToString(static_cast<MeasureErrorKind>(kind))) return static_cast<MeasureErrorKind>(kind);
  }
  return MeasureErrorKind::kNone;
}

MeasureResult ResultOf(const TuningRecord& record) {
  MeasureResult result;
  result.trial_id = record.trial_id;
  result.error = ErrorOf(record);
  result.detail = record.detail;
  result.samples_ns = record.samples_ns;
  result.median_ns = record.median_ns;
  result.spread = record.spread;
  result.device_fingerprint = record.device_fingerprint;
  result.run_ms = std::llround(1e3 * record.measure_s);
  return result;
}

LoggedDevice ToLogged(const Device& device) {
  const std::string attributes = nlohmann::json({{"host_name", device.host_name},
                                                 {"architecture", device.architecture},
                                                 {"cpu_model", device.cpu_model},
                                                 {"cores", device.cores},
                                                 {"memory_bytes", device.memory_bytes},
                                                 {"peak_gflops", device.peak_gflops},
                                                 {"bandwidth_gbps", device.bandwidth_gbps}})
                                     .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return {.fingerprint = device.fingerprint, .device_class = device.device_class, .attributes = attributes};
}

Device FromLogged(const LoggedDevice& logged) {
  Device device;
  device.fingerprint = logged.fingerprint;
  device.device_class = logged.device_class;
  device.peak_gflops = NumberIn(logged.attributes, "peak_gflops");
  device.bandwidth_gbps = NumberIn(logged.attributes, "bandwidth_gbps");
  return device;
}

double NumberIn(const std::string& json, const char* key) {
  const auto document = nlohmann::json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (!document.is_object()) return 0;
  const auto found = document.find(key);
  return found != document.end() && found->is_number() ? found->get<double>() : 0;
}

}  // namespace tilth
