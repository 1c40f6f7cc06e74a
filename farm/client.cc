#include "farm/client.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "absl/strings/str_join.h"
#include "base/clock.h"
#include "base/unique_id.h"
#include "base/utf8.h"
#include "farm/client_blobs.h"
#include "farm/client_connection.h"
#include "proto/convert.h"

namespace tilth {
namespace {

constexpr int64_t kLongestWaitMs = 20'000;
constexpr std::chrono::milliseconds kWhileSending{1};
constexpr int64_t kFarewellMs = 1'000;
constexpr int kTrialsPerRequest = 1'000;
constexpr size_t kRequestBytes = size_t{16} << 20;

}  // namespace

class FarmClient::Impl {
 public:
  explicit Impl(const FarmClientOptions& options)
      : options_(options), connection_(options.address, options.in_the_clear) {
    if (options_.session_id.empty()) options_.session_id = UniqueId();
    const char* user = std::getenv("USER");
    if (options_.user.empty() && user != nullptr) options_.user = user;
  }

  Status Connect() {
    TILTH_RETURN_IF_ERROR(connection_.Dial());
    const Status opened = connection_.Retry(options_.connect_timeout_ms, [this] { return OpenSession(); });
    return Passing(opened) ? GiveUpOnTracker(options_.address, opened) : opened;
  }

  void Close() {
    proto::CloseSessionRequest request;
    request.set_session_id(options_.session_id);
    proto::CloseSessionReply reply;
    const auto stub = connection_.stub();
    if (stub == nullptr) return;
    grpc::ClientContext context;
    SetDeadline(context, kFarewellMs);
    stub->CloseSession(&context, request, &reply);
  }

  StatusOr<std::string> PutBlob(std::string_view bytes) { return blobs_.Put(bytes); }

  Status Submit(const std::vector<Trial>& trials) {
    TrialMessages messages;
    for (const Trial& trial : trials) {
      if (trial.trial_id.empty()) return absl::InvalidArgumentError("a trial needs an id");
      auto message = std::make_shared<proto::Trial>();
      ToProto(trial, message.get());
      messages.push_back(std::move(message));
    }
    for (size_t i = 0; i < messages.size(); ++i) {
      if (const Status used = blobs_.Use(*messages[i]); !used.ok()) {
        for (size_t before = 0; before < i; ++before) blobs_.Release(*messages[before]);
        return used;
      }
    }
    {
      std::lock_guard lock(mutex_);
      for (const auto& message : messages) unfinished_[message->trial_id()] = message;
    }
    const Status submitted = SubmitWhenAllowed(messages);
    if (!submitted.ok()) {
      std::lock_guard lock(mutex_);
      for (const auto& message : messages) {
        if (unfinished_.erase(message->trial_id()) > 0) blobs_.Release(*message);
      }
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
        if (const auto found = unfinished_.find(id); found != unfinished_.end()) {
          blobs_.Release(*found->second);
          unfinished_.erase(found);
        }
      }
      if (trial_ids.empty()) {
        for (const auto& [id, trial] : unfinished_) blobs_.Release(*trial);
        unfinished_.clear();
      }
    }
    return Annotate(Patiently([&] {
                      proto::CancelReply reply;
                      grpc::ClientContext context;
                      SetDeadline(context, kCallTimeoutMs);
                      return FromGrpc(connection_.stub()->Cancel(&context, request, &reply));
                    }),
                    "cancelling trials");
  }

  size_t Unfinished() const {
    std::lock_guard lock(mutex_);
    return unfinished_.size();
  }

  const FarmClientOptions& options() const { return options_; }

 private:
  using TrialMessages = std::vector<std::shared_ptr<const proto::Trial>>;

  // ClientConnection::Retry for a session that exists: whenever the tracker has been away, or has lost the session or a
  // blob, everything unfinished is sent again first, which is harmless if the tracker still has it.
  template <typename Call>
  Status Patiently(Call call) {
    bool restore = false, lost = false;
    const Status status = connection_.Retry(options_.reconnect_timeout_ms, [&] {
      const auto judge = [&](const Status& called) {
        lost = absl::IsNotFound(called) || absl::IsFailedPrecondition(called);
        restore = lost || Passing(called);
        return restore ? AsPassing(called) : called;
      };
      if (restore) {
        if (const Status restored = Restore(lost); !restored.ok()) return AsPassing(judge(restored));
      }
      return judge(call());
    });
    if (!Passing(status)) return status;
    return Annotate(GiveUpOnTracker(options_.address, status),
                    StrCat("for ", options_.reconnect_timeout_ms / 1000, " s"));
  }

  // A tracker that has enough of this user's trials takes more when results have been collected.
  Status SubmitWhenAllowed(const TrialMessages& messages) {
    const int64_t begun_ns = SystemClock().NowNs();
    for (int64_t backoff_ms = kFirstBackoffMs;; backoff_ms = std::min(2 * backoff_ms, kLongestBackoffMs)) {
      const Status submitted = Patiently([&] { return SendTrials(messages, /*all_blobs=*/false); });
      if (!absl::IsResourceExhausted(submitted)) return submitted;
      const int64_t idle_ns = SystemClock().NowNs() - std::max(begun_ns, last_result_ns_.load());
      if (idle_ns > options_.reconnect_timeout_ms * 1'000'000) return submitted;
      std::this_thread::sleep_for(std::chrono::milliseconds(backoff_ms));
    }
  }

  static Status AsPassing(const Status& status) {
    if (Passing(status) || absl::IsUnauthenticated(status) || absl::IsPermissionDenied(status)) return status;
    Status passing(absl::StatusCode::kUnavailable, status.message());
    status.ForEachPayload([&](absl::string_view url, const absl::Cord& payload) { passing.SetPayload(url, payload); });
    return passing;
  }

  Status Restore(bool all_blobs) {
    TILTH_RETURN_IF_ERROR(OpenSession());
    TrialMessages messages;
    {
      std::lock_guard lock(mutex_);
      for (const auto& [id, trial] : unfinished_) messages.push_back(trial);
    }
    const Status sent = SendTrials(messages, all_blobs);
    // Those that the tracker has no room for are being submitted by somebody who waits for that.
    return absl::IsResourceExhausted(sent) ? absl::OkStatus() : sent;
  }

  Status OpenSession() {
    proto::OpenSessionRequest request;
    request.set_protocol_version(kProtocolVersion);
    request.set_session_id(options_.session_id);
    request.set_name(ValidUtf8(options_.session_name));
    request.set_device_class(options_.device_class);
    request.set_user(ValidUtf8(options_.user));
    for (const std::string& tag : options_.device_tags) request.add_device_tags(tag);
    request.set_priority(options_.priority);
    proto::OpenSessionReply reply;
    grpc::ClientContext context;
    SetDeadline(context, kCallTimeoutMs);
    return FromGrpc(connection_.stub()->OpenSession(&context, request, &reply));
  }

  // In requests of a bounded size.
  Status SendTrials(const TrialMessages& messages, bool all_blobs) {
    for (size_t next = 0; next < messages.size();) {
      proto::SubmitRequest request;
      request.set_session_id(options_.session_id);
      size_t bytes = 0;
      while (next < messages.size() && request.trials_size() < kTrialsPerRequest && bytes < kRequestBytes) {
        if (!BeginSending(*messages[next])) {
          ++next;
          continue;
        }
        const int blobs = request.blobs_size();
        blobs_.AddTo(*messages[next], all_blobs, &request);
        for (int i = blobs; i < request.blobs_size(); ++i) bytes += request.blobs(i).data().size();
        *request.add_trials() = *messages[next++];
      }
      proto::SubmitReply reply;
      grpc::ClientContext context;
      SetDeadline(context, kCallTimeoutMs);
      const Status sent = FromGrpc(connection_.stub()->Submit(&context, request, &reply));
      EndSending(request);
      TILTH_RETURN_IF_ERROR(sent);
      blobs_.MarkSent(request);
    }
    return absl::OkStatus();
  }

  // A tracker that has been told to forget a trial would take it for a new one. So nothing is sent of which the result
  // has come, and no result is acknowledged while its trial is on its way.
  bool BeginSending(const proto::Trial& trial) {
    std::lock_guard lock(mutex_);
    if (unfinished_.count(trial.trial_id()) == 0) return false;
    sending_.insert(trial.trial_id());
    return true;
  }

  void EndSending(const proto::SubmitRequest& request) {
    std::lock_guard lock(mutex_);
    for (const proto::Trial& trial : request.trials()) sending_.erase(sending_.find(trial.trial_id()));
  }

  // One WaitResults call: acknowledges what was returned last, then takes what is new.
  Status Poll(int64_t wait_ms, std::vector<MeasureResult>* results, bool take = true) {
    proto::WaitResultsRequest request;
    request.set_session_id(options_.session_id);
    request.set_wait_ms(static_cast<int>(wait_ms));
    {
      std::lock_guard lock(mutex_);
      for (const std::string& id : unacknowledged_) {
        if (sending_.count(id) == 0) request.add_acknowledged_trial_ids(id);
      }
    }
    proto::WaitResultsReply reply;
    grpc::ClientContext context;
    SetDeadline(context, wait_ms + kCallTimeoutMs);
    TILTH_RETURN_IF_ERROR(FromGrpc(connection_.stub()->WaitResults(&context, request, &reply)));
    for (const std::string& id : request.acknowledged_trial_ids()) unacknowledged_.erase(id);
    if (!take) return absl::OkStatus();
    Take(reply, results);
    // What cannot be acknowledged yet comes again at once.
    if (reply.results_size() > 0 && results->empty()) std::this_thread::sleep_for(kWhileSending);
    return absl::OkStatus();
  }

  void Take(const proto::WaitResultsReply& reply, std::vector<MeasureResult>* results) {
    std::lock_guard lock(mutex_);
    for (const proto::MeasureResult& result : reply.results()) {
      const bool again = !unacknowledged_.insert(result.trial_id()).second;
      const auto found = unfinished_.find(result.trial_id());
      if (found != unfinished_.end()) {
        blobs_.Release(*found->second);
        unfinished_.erase(found);
      } else if (again || !options_.take_over) {
        // Cancelled trials and repetitions are acknowledged, but nobody waits for them.
        continue;
      }
      results->push_back(FromProto(result));
    }
    if (reply.results_size() > 0) last_result_ns_ = SystemClock().NowNs();
  }

  FarmClientOptions options_;
  ClientConnection connection_;
  std::mutex wait_mutex_;  // one WaitResults at a time; guards unacknowledged_
  std::set<std::string> unacknowledged_;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const proto::Trial>> unfinished_;
  std::multiset<std::string> sending_;  // trials of Submit calls in flight
  std::atomic<int64_t> last_result_ns_ = 0;
  ClientBlobs blobs_;
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
  return ListDevices(impl_->options().address, impl_->options().device_class, impl_->options().reconnect_timeout_ms,
                     impl_->options().in_the_clear);
}

StatusOr<Device> FarmClient::WaitDevice(int64_t timeout_ms) {
  constexpr std::chrono::milliseconds kPollEvery{20};
  const std::vector<std::string>& tags = impl_->options().device_tags;
  const int64_t deadline_ns = SystemClock().NowNs() + timeout_ms * 1'000'000;
  for (;;) {
    TILTH_ASSIGN_OR_RETURN(std::vector<DeviceStatus> devices, Devices());
    for (const DeviceStatus& status : devices) {
      const bool has_tags = std::all_of(tags.begin(), tags.end(), [&](const std::string& tag) {
        return std::find(status.tags.begin(), status.tags.end(), tag) != status.tags.end();
      });
      if (status.state != "offline" && has_tags) return status.device;
    }
    if (SystemClock().NowNs() >= deadline_ns) break;
    std::this_thread::sleep_for(kPollEvery);
  }
  TILTH_ASSIGN_OR_RETURN(std::vector<DeviceStatus> all,
                         ListDevices(impl_->options().address, "", 3'000, impl_->options().in_the_clear));
  std::set<std::string> classes;
  for (const DeviceStatus& status : all) {
    if (status.state != "offline") classes.insert(status.device.device_class);
  }
  return absl::UnavailableError(StrCat("no device of class '", impl_->options().device_class, "'",
                                       tags.empty() ? "" : StrCat(" with the tags ", absl::StrJoin(tags, ", ")),
                                       " is attached to ", impl_->options().address,
                                       " (attached classes: ", classes.empty() ? "none" : absl::StrJoin(classes, ", "),
                                       "); start tilth-agent on one"));
}

}  // namespace tilth
