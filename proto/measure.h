// The messages of measure.proto as plain structs, for modules that should not see protobuf. The .proto file says what
// every field means; proto/convert.h translates.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace tilth {

// The version of farm.proto and measure.proto spoken by this build.
inline constexpr int kProtocolVersion = 2;

// Why a candidate has no time; the values are those of the wire and of the log. Closed (measure.proto).
enum class MeasureErrorKind : int32_t {
  kNone = 0,
  kInstantiate = 1,
  kLower = 2,
  kCompile = 3,
  kLink = 4,
  kLoad = 5,
  kRunCrash = 6,
  kRunTimeout = 7,
  kWrongAnswer = 8,
  kOutOfMemory = 9,
  kImplausibleTime = 10,
};
inline constexpr int kNumMeasureErrorKinds = 11;

// "none", "instantiate", "lower", "compile", "link", "load", "run crash", "run timeout", "wrong answer",
// "out of memory", "implausible time".
std::string_view ToString(MeasureErrorKind kind);

struct Tolerance {
  double rtol = 1e-4;
  double atol = 1e-5;
};

struct MeasureOptions {
  int min_repeats = 5;
  int max_repeats = 200;
  double target_relative_ci = 0.01;
  int64_t warmup_ns = 2'000'000;
  int64_t time_budget_ns = 60'000'000;
  int64_t min_sample_ns = 50'000;
  int64_t best_so_far_ns = 0;
  double racing_factor = 3.0;
};

struct Trial {
  std::string trial_id;
  std::string artifact_hash;  // ContentHashes of bytes that FarmClient::PutBlob has been given
  std::string baseline_hash;
  uint64_t seed = 0;
  std::vector<Tolerance> tolerances;  // per output buffer, or one for all
  std::vector<int64_t> value_bounds;  // per INPUT or CONSTANT buffer, in order; 0 or missing: no bound
  MeasureOptions options;
  double flops = 0;
  int64_t run_deadline_ms = 10'000;
  int64_t queue_deadline_ms = 0;
  int64_t transfer_deadline_ms = 0;
  std::string note;      // comes back with the result
  std::string together;  // trials of a session with the same word go to one device while that may work; empty: to any
};

// Zeros: not known, not readable.
struct DeviceHealth {
  double canary_ratio = 0;
  double canary_spread = 0;
  double canary_lost = 0;
  double temperature_c = 0;
  double frequency_mhz = 0;
  bool throttled = false, throttling_readable = false;
  int64_t measured_unix_ms = 0;
};

struct MeasureResult {
  std::string trial_id;
  MeasureErrorKind error = MeasureErrorKind::kNone;
  std::string detail;
  Status status;  // not OK: the farm could not carry the trial out; says nothing about the candidate
  std::vector<double> samples_ns;
  double median_ns = 0;
  double spread = 0;
  int dropped_samples = 0;
  bool beaten = false;
  double max_abs_error = 0;
  DeviceHealth health;
  std::string device_fingerprint;
  std::string agent_id;
  int64_t queue_ms = 0, transfer_ms = 0, run_ms = 0;
  int attempts = 0;
  std::string note;  // the trial's

  // Verified and timed: only such a result may become a record.
  bool Measured() const { return status.ok() && error == MeasureErrorKind::kNone; }
};

struct Device {
  std::string fingerprint;
  std::string device_class;
  std::string host_name;
  std::string architecture;
  std::string cpu_model;
  std::vector<std::string> cpu_features;
  int cores = 1;
  int64_t memory_bytes = 0;
  double peak_gflops = 0;     // fp32, one core
  double bandwidth_gbps = 0;  // one core
  std::string kernel_release;
  std::vector<std::string> thermal_zones;
  std::string sandbox;      // what contains candidates, for people
  std::string accelerator;  // a GPU, for people; empty: none
};

}  // namespace tilth
