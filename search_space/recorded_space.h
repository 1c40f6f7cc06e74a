// RecordedSpace: a space of which every point has been measured, read from a cache file of Kernel Tuner
// (https://kerneltuner.github.io). Search policies are compared on such spaces without a device.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/rng.h"
#include "base/status.h"
#include "search_space/parameter_space.h"

namespace tilth {

// Immutable; safe to share between threads.
class RecordedSpace {
 public:
  // `name` is for messages. INVALID_ARGUMENT names the member or the entry that is wrong. Parameters of which all
  // entries have the same value are left out.
  static StatusOr<std::unique_ptr<RecordedSpace>> Parse(std::string_view json, std::string name);
  // A file, which may be compressed with gzip.
  static StatusOr<std::unique_ptr<RecordedSpace>> Read(const std::string& path);

  const ParameterSpace& space() const { return *space_; }
  // What was measured, of the device's clock; all files use milliseconds.
  double best_mean_ms() const { return best_mean_ms_; }
  int failures() const { return failures_; }

  // The mean of the point's repeats; 0: it failed.
  double MeanMs(const Candidate& candidate) const;
  // One of its repeats, drawn at random; 0: it failed.
  double DrawMs(const Candidate& candidate, Rng& rng) const;
  // The means of all points that did not fail, fastest first.
  const std::vector<double>& sorted_means_ms() const { return sorted_means_ms_; }

 private:
  struct Repeats {
    std::vector<float> times_ms;  // empty: it failed
    double mean_ms = 0;
  };
  RecordedSpace() = default;
  const Repeats& RepeatsOf(const Candidate& candidate) const;

  std::unique_ptr<ParameterSpace> space_;
  absl::flat_hash_map<uint64_t, Repeats> repeats_;  // by KnobSpace::KeyOf
  double best_mean_ms_ = 0;
  int failures_ = 0;
  std::vector<double> sorted_means_ms_;
};

}  // namespace tilth
