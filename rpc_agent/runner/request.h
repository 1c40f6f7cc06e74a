// What the agent tells a runner and what it hears back. Both sides are of the same build, so the format is private: one
// JSON document on the runner's stdin (until its end), and lines on its descriptor 3:
//
//     stage load          before the artifact is opened; dying from here on is a load error
//     stage run           before its code first runs; dying from here on is a crash
//     reply {…}           the last line; without it the runner has failed, whatever its exit status
//
// The runner starts once per trial and must start fast, so nothing here knows of gRPC, protobuf or Abseil.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "rpc_agent/runner/canary.h"
#include "rpc_agent/runner/measure_loop.h"

namespace tilth::runner {

inline constexpr int kReplyFd = 3;

struct OutputTolerance {
  double rtol = 0;
  double atol = 0;
};

// For the modes `baseline` (runs the artifact once and writes its outputs to expected_path) and `trial` (verifies the
// artifact against expected_path and times it). Fields are those of proto/measure.proto's Trial.
struct KernelRequest {
  std::string artifact_path;
  std::string expected_path;
  uint64_t seed = 0;
  std::vector<OutputTolerance> tolerances;
  std::vector<int64_t> value_bounds;
  int core = -1;               // to pin to; -1: wherever
  double expected_gflops = 0;  // the device's speed when it was calibrated; 0: unknown
  MeasureLoopOptions loop;
};

// A reply's error when somebody other than the runner killed the candidate.
inline constexpr char kKilled[] = "killed";

struct KernelReply {
  std::string error;  // empty, or the name of a MeasureErrorKind, or "infrastructure", or kKilled
  std::string detail;
  MeasureLoopResult times;
  double max_abs_error = 0;
  double canary_gflops = 0;  // the device's speed just before the timing, or just after if that was slower
};

// For the mode `peak`: what one core can do at best.
struct PeakReply {
  double gflops = 0;          // fp32, two per fused multiply-add
  double bandwidth_gbps = 0;  // triad, 1e9 bytes per second
};

// For the mode `probe`.
struct ProbeReply {
  std::string architecture;  // the runner's own ("aarch64"), which an emulator may make another than the agent's
  std::string sandbox;       // what contains candidates, for people
};

// For the mode `canary`: how the device is now.
struct CanaryRequest {
  int core = -1;
  double expected_gflops = 0;  // its speed when it was calibrated; 0: unknown
};

// Format* never fail; Parse* give nothing if the text is not what Format* makes.
std::string FormatRequest(const KernelRequest& request);
std::optional<KernelRequest> ParseRequest(const std::string& text);
std::string FormatReply(const KernelReply& reply);
std::optional<KernelReply> ParseReply(const std::string& text);
std::string FormatPeak(const PeakReply& reply);
std::optional<PeakReply> ParsePeak(const std::string& text);
std::string FormatProbe(const ProbeReply& reply);
std::optional<ProbeReply> ParseProbe(const std::string& text);
std::string FormatCanaryRequest(const CanaryRequest& request);
std::optional<CanaryRequest> ParseCanaryRequest(const std::string& text);
std::string FormatCanary(const CanaryReading& reading);
std::optional<CanaryReading> ParseCanary(const std::string& text);

}  // namespace tilth::runner
