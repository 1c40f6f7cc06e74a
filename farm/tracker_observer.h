// What a tracker tells about what it does, for whoever counts it (farm/metrics.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace tilth {

namespace proto {
class MeasureResult;
}  // namespace proto

// How things stand.
struct TrackerGauges {
  std::map<std::pair<std::string, std::string>, int64_t> queued;   // trials by (device class, user)
  std::map<std::pair<std::string, std::string>, int64_t> devices;  // by (device class, state)
  int64_t sessions = 0;
};

// Called by whoever has the tracker, but for OnStored, so every method is quick. What is told has been decided; should
// the store then fail, it is told again when it happens again.
class TrackerObserver {
 public:
  virtual ~TrackerObserver() = default;

  virtual void OnSubmitted(const std::string& device_class, int64_t trials, int64_t blob_bytes) = 0;
  // A trial goes to a device, `waited_ms` after its submission.
  virtual void OnGranted(const std::string& device_class, int64_t waited_ms, int64_t blob_bytes) = 0;
  virtual void OnFinished(const std::string& device_class, const proto::MeasureResult& result) = 0;
  // `reason` is one of a few words, not a sentence.
  virtual void OnLeaseLost(const std::string& device_class, std::string_view reason) = 0;
  // So many calls and messages have been applied together.
  virtual void OnApplied(size_t events, int64_t ns) = 0;
  // What has changed has been stored, and the disk waited for. On a thread of its own.
  virtual void OnStored(int64_t ns) = 0;
  // About once a second.
  virtual void OnGauges(const TrackerGauges& gauges) = 0;
};

}  // namespace tilth
