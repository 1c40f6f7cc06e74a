// A device that is not there: how long its trials take, how they fail and how it feels, all drawn from a seed.
//
// Pure: the same seed gives the same answers in the same order, and nothing happens but in calls.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/rng.h"
#include "proto/measure.h"

namespace tilth {

namespace proto {
class DeviceHealth;
class MeasureResult;
}  // namespace proto

// How long something takes: `median_ms`, spread as a lognormal distribution whose logarithm has the standard deviation
// `sigma`; with sigma 0 always the same.
struct Latency {
  double median_ms = 0;
  double sigma = 0;
};

struct FailureRate {
  MeasureErrorKind kind = MeasureErrorKind::kRunCrash;
  double share = 0;  // of all trials
};

// What the canary says: `ratio`, which changes by drift_per_s, give or take `noise` (a standard deviation).
struct SimulatedHealth {
  double ratio = 1;
  double drift_per_s = 0;
  double noise = 0;
};

struct SimulatedDeviceOptions {
  std::string device_class = "simulated";
  Latency trial;
  std::vector<FailureRate> failures;
  SimulatedHealth health;
  uint64_t seed = 1;
};

// Not thread-safe.
class SimulatedDevice {
 public:
  explicit SimulatedDevice(const SimulatedDeviceOptions& options);

  // What it says about itself; the fingerprint is its class's.
  Device Describe() const;
  double TrialMs() { return Draw(options_.trial); }
  // The outcome of a trial that took `trial_ms`, `uptime_s` after the device was switched on.
  proto::MeasureResult Measure(const std::string& trial_id, double trial_ms, double uptime_s);
  proto::DeviceHealth Health(double uptime_s);
  double Draw(const Latency& latency);
  // Until the next event of those that happen `per_second` times a second on average.
  double SecondsToNext(double per_second);

 private:
  double Normal();

  const SimulatedDeviceOptions options_;
  Rng rng_;
};

}  // namespace tilth
