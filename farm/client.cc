#include "farm/client.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "absl/strings/str_join.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/logging.h"
#include "base/unique_id.h"
#include "proto/convert.h"
#include "proto/dial.h"
#include "proto/farm.grpc.pb.h"
#include "proto/grpc_status.h"

namespace tilth {
namespace {

constexpr int64_t kCallTimeoutMs = 30'000;
constexpr int64_t kLongestWaitMs = 20'000;
constexpr int64_t kFirstBackoffMs = 20, kLongestBackoffMs = 1'000;

bool Passing(const Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) || absl::IsCancelled(status);
}

void SetDeadline(grpc::ClientContext& context, int64_t timeout_ms) {
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(timeout_ms));
}

}  // namespace

class FarmClient::Impl {
 public:
  explicit Impl(const FarmClientOptions& options) : options_(options) {
    Dial();
    if (options_.session_id.empty()) options_.session_id = UniqueId();
  }

  Status Connect() {
    const Status opened = Retry(options_.connect_timeout_ms, [this] { return OpenSession(); });
    if (!Passing(opened)) return opened;
    return absl::UnavailableError(StrCat("no tracker answers at ", options_.address, " (", ToStd(opened.message()),
                                         "); start one with `tilth farm serve`"));
  }

  void Close() {
    proto::CloseSessionRequest request;
    request.set_session_id(options_.session_id);
    proto::CloseSessionReply reply;
    grpc::ClientContext context;
    SetDeadline(context, 1'000);
    Stub()->CloseSession(&context, request, &reply);
  }

  StatusOr<std::string> PutBlob(std::string_view bytes) {
    const std::string hash = ContentHash(bytes);
    {
      std::lock_guard lock(mutex_);
      if (!blobs_.emplace(hash, std::string(bytes)).second) return hash;
    }
    TILTH_RETURN_IF_ERROR(Patiently([&] { return SendBlob(hash); }), "sending a baseline to the tracker");
    return hash;
  }

  Status Submit(const std::vector<Trial>& trials) {
    proto::SubmitRequest request;
    request.set_session_id(options_.session_id);
    {
      std::lock_guard lock(mutex_);
      for (const Trial& trial : trials) {
        if (trial.trial_id.empty()) return absl::InvalidArgumentError("a trial needs an id");
        if (blobs_.count(trial.baseline_hash) == 0) {
          return absl::InvalidArgumentError(StrCat("trial ", trial.trial_id, ": PutBlob has not seen its baseline"));
        }
      }
      for (const Trial& trial : trials) {
        auto message = std::make_shared<proto::Trial>();
        ToProto(trial, message.get());
        *request.add_trials() = *message;
        unfinished_[trial.trial_id] = std::move(message);
      }
    }
    const Status submitted = Patiently([&] { return SendTrials(request); });
    if (!submitted.ok()) {
      std::lock_guard lock(mutex_);
      for (const Trial& trial : trials) unfinished_.erase(trial.trial_id);
    }
    return Annotate(submitted, "submitting trials");
  }

  StatusOr<std::vector<MeasureResult>> WaitResults(int64_t timeout_ms) {
    std::lock_guard waiting(wait_mutex_);
    const int64_t deadline_ns = SystemClock().NowNs() + timeout_ms * 1'000'000;
    for (;;) {
      const int64_t left_ms = std::max<int64_t>(0, (deadline_ns - SystemClock().NowNs()) / 1'000'000);
      std::vector<MeasureResult> results;
      TILTH_RETURN_IF_ERROR(Patiently([&] { return Poll(std::min(left_ms, kLongestWaitMs), &results); }),
                            "waiting for results");
      if (!results.empty() || left_ms == 0) return results;
    }
  }

  Status Acknowledge() {
    std::lock_guard waiting(wait_mutex_);
    if (unacknowledged_.empty()) return absl::OkStatus();
    std::vector<MeasureResult> more;
    return Patiently([&] { return Poll(0, &more, /*take=*/false); });
  }

  Status Cancel(const std::vector<std::string>& trial_ids) {
    proto::CancelRequest request;
    request.set_session_id(options_.session_id);
    {
      std::lock_guard lock(mutex_);
      for (const std::string& id : trial_ids) {
        request.add_trial_ids(id);
        unfinished_.erase(id);
      }
      if (trial_ids.empty()) unfinished_.clear();
    }
    return Annotate(Patiently([&] {
                      proto::CancelReply reply;
                      grpc::ClientContext context;
                      SetDeadline(context, kCallTimeoutMs);
                      return FromGrpc(Stub()->Cancel(&context, request, &reply));
                    }),
                    "cancelling trials");
  }

  size_t Unfinished() const {
    std::lock_guard lock(mutex_);
    return unfinished_.size();
  }

  const FarmClientOptions& options() const { return options_; }

 private:
  void Dial() {
    auto stub = proto::Farm::NewStub(DialTracker(options_.address));
    std::lock_guard lock(mutex_);
    stub_ = std::move(stub);
  }

  std::shared_ptr<proto::Farm::Stub> Stub() const {
    std::lock_guard lock(mutex_);
    return stub_;
  }

  // Calls until it is something other than a passing failure or the time is over.
  template <typename Call>
  Status Retry(int64_t timeout_ms, Call call) {
    const int64_t deadline_ns = SystemClock().NowNs() + timeout_ms * 1'000'000;
    for (int64_t backoff_ms = kFirstBackoffMs;; backoff_ms = std::min(2 * backoff_ms, kLongestBackoffMs)) {
      const Status status = call();
      if (!Passing(status)) return status;
      const int64_t left_ms = (deadline_ns - SystemClock().NowNs()) / 1'000'000;
      if (left_ms <= 0) return status;
      Dial();
      std::this_thread::sleep_for(std::chrono::milliseconds(std::min(backoff_ms, left_ms)));
    }
  }

  // Retry for a session that exists: whenever the tracker has been away, or has lost the session or a blob, everything
  // unfinished is sent again first, which is harmless if the tracker still has it.
  template <typename Call>
  Status Patiently(Call call) {
    bool restore = false;
    const Status status = Retry(options_.reconnect_timeout_ms, [&] {
      if (restore) {
        if (Status restored = Restore(); !restored.ok()) return AsPassing(restored);
        restore = false;
      }
      const Status called = call();
      restore = Passing(called) || absl::IsNotFound(called) || absl::IsFailedPrecondition(called);
      return restore ? AsPassing(called) : called;
    });
    if (!Passing(status)) return status;
    return absl::UnavailableError(StrCat("the tracker at ", options_.address, " has been away for ",
                                         options_.reconnect_timeout_ms / 1000, " s (", ToStd(status.message()), ")"));
  }

  static Status AsPassing(const Status& status) {
    return Passing(status) ? status : absl::UnavailableError(ToAbsl(ToStd(status.message())));
  }

  Status Restore() {
    TILTH_RETURN_IF_ERROR(OpenSession());
    std::vector<std::string> hashes;
    proto::SubmitRequest request;
    request.set_session_id(options_.session_id);
    {
      std::lock_guard lock(mutex_);
      for (const auto& [hash, bytes] : blobs_) hashes.push_back(hash);
      for (const auto& [id, trial] : unfinished_) *request.add_trials() = *trial;
    }
    for (const std::string& hash : hashes) TILTH_RETURN_IF_ERROR(SendBlob(hash));
    return SendTrials(request);
  }

  Status OpenSession() {
    proto::OpenSessionRequest request;
    request.set_protocol_version(kProtocolVersion);
    request.set_session_id(options_.session_id);
    request.set_name(options_.session_name);
    request.set_device_class(options_.device_class);
    proto::OpenSessionReply reply;
    grpc::ClientContext context;
    SetDeadline(context, kCallTimeoutMs);
    return FromGrpc(Stub()->OpenSession(&context, request, &reply));
  }

  Status SendBlob(const std::string& hash) {
    proto::PutBlobRequest request;
    request.set_hash(hash);
    {
      std::lock_guard lock(mutex_);
      request.set_data(blobs_[hash]);
    }
    proto::PutBlobReply reply;
    grpc::ClientContext context;
    SetDeadline(context, kCallTimeoutMs);
    return FromGrpc(Stub()->PutBlob(&context, request, &reply));
  }

  Status SendTrials(const proto::SubmitRequest& request) {
    proto::SubmitReply reply;
    grpc::ClientContext context;
    SetDeadline(context, kCallTimeoutMs);
    return FromGrpc(Stub()->Submit(&context, request, &reply));
  }

  // One WaitResults call: acknowledges what was returned last, then takes what is new.
  Status Poll(int64_t wait_ms, std::vector<MeasureResult>* results, bool take = true) {
    proto::WaitResultsRequest request;
    request.set_session_id(options_.session_id);
    request.set_wait_ms(static_cast<int>(wait_ms));
    for (const std::string& id : unacknowledged_) request.add_acknowledged_trial_ids(id);
    proto::WaitResultsReply reply;
    grpc::ClientContext context;
    SetDeadline(context, wait_ms + kCallTimeoutMs);
    TILTH_RETURN_IF_ERROR(FromGrpc(Stub()->WaitResults(&context, request, &reply)));
    unacknowledged_.clear();
    if (!take) return absl::OkStatus();
    std::lock_guard lock(mutex_);
    for (const proto::MeasureResult& result : reply.results()) {
      unacknowledged_.push_back(result.trial_id());
      // Cancelled trials and repetitions are acknowledged, but nobody waits for them.
      if (unfinished_.erase(result.trial_id()) > 0) results->push_back(FromProto(result));
    }
    return absl::OkStatus();
  }

  FarmClientOptions options_;
  std::mutex wait_mutex_;  // one WaitResults at a time; guards unacknowledged_
  std::vector<std::string> unacknowledged_;
  mutable std::mutex mutex_;
  std::shared_ptr<proto::Farm::Stub> stub_;  // of the newest connection; a call in flight keeps its own alive
  std::map<std::string, std::shared_ptr<const proto::Trial>> unfinished_;
  std::map<std::string, std::string> blobs_;
};

StatusOr<std::unique_ptr<FarmClient>> FarmClient::Connect(const FarmClientOptions& options) {
  auto impl = std::make_unique<Impl>(options);
  TILTH_RETURN_IF_ERROR(impl->Connect());
  return std::unique_ptr<FarmClient>(new FarmClient(std::move(impl)));
}

FarmClient::FarmClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

FarmClient::~FarmClient() { impl_->Close(); }

StatusOr<std::string> FarmClient::PutBlob(std::string_view bytes) { return impl_->PutBlob(bytes); }
Status FarmClient::Submit(const std::vector<Trial>& trials) { return impl_->Submit(trials); }
StatusOr<std::vector<MeasureResult>> FarmClient::WaitResults(int64_t timeout_ms) {
  return impl_->WaitResults(timeout_ms);
}
Status FarmClient::Acknowledge() { return impl_->Acknowledge(); }
Status FarmClient::Cancel(const std::vector<std::string>& trial_ids) { return impl_->Cancel(trial_ids); }
size_t FarmClient::Unfinished() const { return impl_->Unfinished(); }
const std::string& FarmClient::session_id() const { return impl_->options().session_id; }

StatusOr<std::vector<DeviceStatus>> FarmClient::Devices() {
  return ListDevices(impl_->options().address, impl_->options().device_class, impl_->options().reconnect_timeout_ms);
}

StatusOr<Device> FarmClient::WaitDevice(int64_t timeout_ms) {
  constexpr std::chrono::milliseconds kPollEvery{20};
  const int64_t deadline_ns = SystemClock().NowNs() + timeout_ms * 1'000'000;
  for (;;) {
    TILTH_ASSIGN_OR_RETURN(std::vector<DeviceStatus> devices, Devices());
    for (const DeviceStatus& status : devices) {
      if (status.state != "offline") return status.device;
    }
    if (SystemClock().NowNs() >= deadline_ns) break;
    std::this_thread::sleep_for(kPollEvery);
  }
  TILTH_ASSIGN_OR_RETURN(std::vector<DeviceStatus> all, ListDevices(impl_->options().address, ""));
  std::set<std::string> classes;
  for (const DeviceStatus& status : all) {
    if (status.state != "offline") classes.insert(status.device.device_class);
  }
  return absl::UnavailableError(StrCat(
      "no device of class '", impl_->options().device_class, "' is attached to ", impl_->options().address,
      " (attached classes: ", classes.empty() ? "none" : absl::StrJoin(classes, ", "), "); start tilth-agent on one"));
}

}  // namespace tilth
