#include "farm/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/exposer.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <exception>
#include <string>
#include <utility>
#include <vector>

#include "base/version.h"
#include "proto/credentials.h"
#include "proto/measure.h"
#include "proto/measure.pb.h"

namespace tilth {
namespace {

using Labels = prometheus::Labels;

// A connection that sends nothing holds a thread of the server until it times out: by default one of two, for half a
// minute. With these, hundreds of them delay a scrape by a few seconds.
std::vector<std::string> ServerOptions(const std::string& address) {
  return {"listening_ports",  address, "num_threads",    "32",   "request_timeout_ms", "250",
          "connection_queue", "1024",  "listen_backlog", "1024", "enable_keep_alive",  "no"};
}

const prometheus::Histogram::BucketBoundaries& Seconds() {
  static const prometheus::Histogram::BucketBoundaries bounds = {0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3,
                                                                 1,      3,      10,    30,    100,  300,  1000};
  return bounds;
}

const prometheus::Histogram::BucketBoundaries& Counts() {
  static const prometheus::Histogram::BucketBoundaries bounds = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512};
  return bounds;
}

// "ok", a kind of error, or "not carried out".
std::string OutcomeOf(const proto::MeasureResult& result) {
  if (result.status_code() != 0) return "not carried out";
  if (result.error() == proto::MEASURE_ERROR_NONE) return "ok";
  return std::string(ToString(static_cast<MeasureErrorKind>(result.error())));
}

}  // namespace

class FarmMetrics::Impl {
 public:
  explicit Impl(const std::string& address) : exposer_(ServerOptions(address)) {
    prometheus::BuildGauge()
        .Name("tilth_build_info")
        .Help("1, with the tracker's version")
        .Register(*registry_)
        .Add({{"version", std::string(kVersion)}})
        .Set(1);
    exposer_.RegisterCollectable(registry_);
  }

  int port() const { return exposer_.GetListeningPorts().front(); }

  prometheus::Family<prometheus::Counter>& Counter(const char* name, const char* help) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(*registry_);
  }
  prometheus::Family<prometheus::Gauge>& Gauge(const char* name, const char* help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(*registry_);
  }
  prometheus::Family<prometheus::Histogram>& Histogram(const char* name, const char* help) {
    return prometheus::BuildHistogram().Name(name).Help(help).Register(*registry_);
  }

  // Shows `values`, and 0 for labels that had a value before.
  static void SetAll(prometheus::Family<prometheus::Gauge>& family, const char* second,
                     const std::map<std::pair<std::string, std::string>, int64_t>& values,
                     std::map<std::pair<std::string, std::string>, prometheus::Gauge*>& shown) {
    for (auto& [key, gauge] : shown) {
      if (values.count(key) == 0) gauge->Set(0);
    }
    for (const auto& [key, value] : values) {
      prometheus::Gauge*& gauge = shown[key];
      if (gauge == nullptr) gauge = &family.Add({{"class", key.first}, {second, key.second}});
      gauge->Set(static_cast<double>(value));
    }
  }

  std::shared_ptr<prometheus::Registry> registry_ = std::make_shared<prometheus::Registry>();
  prometheus::Family<prometheus::Counter>& submitted_ = Counter("tilth_trials_submitted_total", "Trials stored");
  prometheus::Family<prometheus::Counter>& finished_ =
      Counter("tilth_trials_finished_total", "Trials done, by outcome");
  prometheus::Family<prometheus::Counter>& lost_ =
      Counter("tilth_leases_lost_total", "Leases that ended without a result, by reason");
  prometheus::Family<prometheus::Counter>& blob_bytes_ =
      Counter("tilth_blob_bytes_total", "Compressed artifacts, received from clients and sent along with trials");
  prometheus::Family<prometheus::Histogram>& dispatch_ =
      Histogram("tilth_dispatch_seconds", "From a trial's submission to its lease");
  prometheus::Histogram& batch_seconds_ =
      Histogram("tilth_batch_seconds", "Applying calls and messages that were taken together").Add({}, Seconds());
  prometheus::Histogram& store_seconds_ =
      Histogram("tilth_store_seconds", "Storing what has changed, with the wait for the disk").Add({}, Seconds());
  prometheus::Histogram& batch_events_ =
      Histogram("tilth_batch_events", "Calls and messages that were taken together").Add({}, Counts());
  prometheus::Family<prometheus::Gauge>& queued_ = Gauge("tilth_queue_length", "Trials that wait for a device");
  prometheus::Family<prometheus::Gauge>& devices_ = Gauge("tilth_devices", "Devices, by state");
  prometheus::Gauge& sessions_ = Gauge("tilth_sessions", "Open sessions").Add({});
  std::map<std::pair<std::string, std::string>, prometheus::Gauge*> queued_shown_, devices_shown_;
  prometheus::Exposer exposer_;  // last: it serves the others
};

StatusOr<std::unique_ptr<FarmMetrics>> FarmMetrics::Serve(const std::string& address) {
  if (!IsLoopback(address)) {
    return absl::InvalidArgumentError(StrCat("metrics at ", address,
                                             " would be for everybody to read: they have no "
                                             "encryption; listen at 127.0.0.1:PORT and let a proxy carry them"));
  }
  try {
    return std::unique_ptr<FarmMetrics>(new FarmMetrics(std::make_unique<Impl>(address)));
  } catch (const std::exception&) {
    return absl::UnavailableError(StrCat("cannot listen for metrics at ", address, "; is the port in use?"));
  }
}

FarmMetrics::FarmMetrics(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
FarmMetrics::~FarmMetrics() = default;

int FarmMetrics::port() const { return impl_->port(); }

void FarmMetrics::OnSubmitted(const std::string& device_class, int64_t trials, int64_t blob_bytes) {
  impl_->submitted_.Add({{"class", device_class}}).Increment(static_cast<double>(trials));
  impl_->blob_bytes_.Add({{"direction", "received"}}).Increment(static_cast<double>(blob_bytes));
}

void FarmMetrics::OnGranted(const std::string& device_class, int64_t waited_ms, int64_t blob_bytes) {
  impl_->dispatch_.Add({{"class", device_class}}, Seconds()).Observe(1e-3 * static_cast<double>(waited_ms));
  impl_->blob_bytes_.Add({{"direction", "sent"}}).Increment(static_cast<double>(blob_bytes));
}

void FarmMetrics::OnFinished(const std::string& device_class, const proto::MeasureResult& result) {
  impl_->finished_.Add({{"class", device_class}, {"outcome", OutcomeOf(result)}}).Increment();
}

void FarmMetrics::OnLeaseLost(const std::string& device_class, std::string_view reason) {
  impl_->lost_.Add({{"class", device_class}, {"reason", std::string(reason)}}).Increment();
}

void FarmMetrics::OnApplied(size_t events, int64_t ns) {
  impl_->batch_events_.Observe(static_cast<double>(events));
  impl_->batch_seconds_.Observe(1e-9 * static_cast<double>(ns));
}

void FarmMetrics::OnStored(int64_t ns) { impl_->store_seconds_.Observe(1e-9 * static_cast<double>(ns)); }

void FarmMetrics::OnGauges(const TrackerGauges& gauges) {
  Impl::SetAll(impl_->queued_, "user", gauges.queued, impl_->queued_shown_);
  Impl::SetAll(impl_->devices_, "state", gauges.devices, impl_->devices_shown_);
  impl_->sessions_.Set(static_cast<double>(gauges.sessions));
}

}  // namespace tilth
