// A tracker's figures for Prometheus, over HTTP at /metrics. docs/farm.md lists them.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "farm/tracker_observer.h"

namespace tilth {

// Give it to the tracker as its observer; it must outlive the tracker. Scraping never waits for the tracker.
class FarmMetrics : public TrackerObserver {
 public:
  // Listens at "HOST:PORT" (port 0: any free one). HOST must be this machine's own: there is neither encryption nor
  // authentication. kInvalidArgument for another one; kUnavailable if the address cannot be bound.
  static StatusOr<std::unique_ptr<FarmMetrics>> Serve(const std::string& address);
  ~FarmMetrics() override;

  int port() const;

  void OnSubmitted(const std::string& device_class, int64_t trials, int64_t blob_bytes) override;
  void OnGranted(const std::string& device_class, int64_t waited_ms, int64_t blob_bytes) override;
  void OnFinished(const std::string& device_class, const proto::MeasureResult& result) override;
  void OnLeaseLost(const std::string& device_class, std::string_view reason) override;
  void OnApplied(size_t events, int64_t ns) override;
  void OnStored(int64_t ns) override;
  void OnGauges(const TrackerGauges& gauges) override;

 private:
  class Impl;
  explicit FarmMetrics(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tilth
