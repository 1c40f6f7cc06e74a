// See the header.
#include "farm/simulation/simulated_device.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/clock.h"
#include "base/hash.h"
#include "proto/measure.pb.h"

namespace tilth {
namespace {

constexpr int kSamples = 5;

}  // namespace

SimulatedDevice::SimulatedDevice(const SimulatedDeviceOptions& options) : options_(options), rng_(options.seed) {}

Device SimulatedDevice::Describe() const {
  Device device;
  device.fingerprint = ContentHash(StrCat("simulated ", options_.device_class));
  device.device_class = options_.device_class;
  device.host_name = StrCat("simulated-", options_.seed);
  device.architecture = "simulated";
  device.cpu_model = "none";
  device.peak_gflops = 1;
  device.bandwidth_gbps = 1;
  return device;
}

proto::MeasureResult SimulatedDevice::Measure(const std::string& trial_id, double trial_ms, double uptime_s) {
  proto::MeasureResult result;
  result.set_trial_id(trial_id);
  result.set_run_ms(std::llround(trial_ms));
  result.set_device_fingerprint(Describe().fingerprint);
  *result.mutable_health() = Health(uptime_s);
  double draw = rng_.Uniform();
  for (const FailureRate& failure : options_.failures) {
    draw -= failure.share;
    if (draw >= 0) continue;
    result.set_error(static_cast<proto::MeasureErrorKind>(failure.kind));
    result.set_detail("simulated");
    return result;
  }
  // A slow device tells longer times.
  const double time_ns = 1e6 / std::max(0.01, result.health().canary_ratio());
  for (int i = 0; i < kSamples; ++i) result.add_samples_ns(time_ns);
  result.set_median_ns(time_ns);
  return result;
}

proto::DeviceHealth SimulatedDevice::Health(double uptime_s) {
  const SimulatedHealth& health = options_.health;
  proto::DeviceHealth reading;
  const double ratio = health.ratio + health.drift_per_s * uptime_s + health.noise * Normal();
  reading.set_canary_ratio(std::max(0.01, ratio));
  reading.set_canary_spread(health.noise);
  reading.set_measured_unix_ms(SystemClock().WallMs());
  return reading;
}

double SimulatedDevice::Draw(const Latency& latency) {
  return latency.sigma > 0 ? latency.median_ms * std::exp(latency.sigma * Normal()) : latency.median_ms;
}

double SimulatedDevice::SecondsToNext(double per_second) { return -std::log(1 - rng_.Uniform()) / per_second; }

// Box and Muller's transform of two uniform numbers.
double SimulatedDevice::Normal() {
  const double radius = std::sqrt(-2 * std::log(1 - rng_.Uniform()));
  return radius * std::cos(2 * std::numbers::pi * rng_.Uniform());
}

}  // namespace tilth
