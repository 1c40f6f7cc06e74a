#include "rpc_agent/agent.h"

#include <sched.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

#include "base/clock.h"
#include "base/files.h"
#include "base/logging.h"
#include "base/posix.h"
#include "base/rng.h"
#include "base/unique_id.h"
#include "base/version.h"
#include "proto/convert.h"
#include "rpc_agent/blob_store.h"
#include "rpc_agent/device_info.h"
#include "rpc_agent/health_monitor.h"
#include "rpc_agent/membership.h"
#include "rpc_agent/messenger.h"
#include "rpc_agent/tracker_stream.h"

namespace tilth {
namespace {

constexpr std::chrono::milliseconds kFirstBackoff{50}, kLongestBackoff{1'000};
constexpr int64_t kGoodConnectionNs = 5'000'000'000;
// One trial runs; one waits beside it, so that the device need not wait for the network.
constexpr int kSlots = 2;
// Between readings of the device's health: 15 ms each.
constexpr double kLossToWatch = 0.03;
constexpr int64_t kIdleReadingNs = 3'000'000'000, kBusyReadingNs = 1'000'000'000;

bool SameLease(const proto::Lease& a, const proto::Lease& b) {
  return a.token() == b.token() && a.trial_id() == b.trial_id() && a.session_id() == b.session_id();
}

bool RefusedForGood(const Status& status) {
  return absl::IsFailedPrecondition(status) || absl::IsPermissionDenied(status) || absl::IsInvalidArgument(status) ||
         absl::IsUnimplemented(status) || absl::IsUnauthenticated(status);
}

// The calling thread, and what it starts, stay on `core`; negative: anywhere.
void MoveTo(int core) {
  if (core < 0 || core >= CPU_SETSIZE) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  sched_setaffinity(0, sizeof set, &set);
}

// The calling thread, and what it starts, leave `core` to others, unless it is the only one.
void KeepOff(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (core < 0 || core >= CPU_SETSIZE || sched_getaffinity(0, sizeof set, &set) != 0) return;
  CPU_CLR(core, &set);
  if (CPU_COUNT(&set) > 0) sched_setaffinity(0, sizeof set, &set);
}

// Whether this machine failed, as when it has no more processes or descriptors: another one may carry the trial out, or
// this one later. A baseline that does not run is the trial's own.
bool IsOwnFailure(const Status& executed) { return !executed.ok() && !absl::IsFailedPrecondition(executed); }

}  // namespace

class Agent::Impl {
 public:
  explicit Impl(const AgentOptions& options)
      : options_(options), stream_(options.tracker, IdentityDirectoryOf(options.work_directory)) {}

  Status Init() {
    TILTH_RETURN_IF_ERROR(MakeDirectories(options_.work_directory));
    TILTH_RETURN_IF_ERROR(LockDirectory());
    TILTH_ASSIGN_OR_RETURN(agent_id_, Identity());
    TILTH_ASSIGN_OR_RETURN(messenger_, Messenger::Open(StrCat(options_.work_directory, "/results"), stream_));
    TILTH_ASSIGN_OR_RETURN(blobs_, BlobStore::Open(StrCat(options_.work_directory, "/artifacts"), stream_));
    TILTH_ASSIGN_OR_RETURN(executor_, TrialExecutor::Create(options_.executor));
    monitor_ = std::make_unique<HealthMonitor>(*executor_, options_.executor.core);
    return absl::OkStatus();
  }

  Status Run() {
    TILTH_ASSIGN_OR_RETURN(device_, KnowDevice(options_, *executor_));
    LogInfo("candidates are contained by: ", device_.sandbox);
    LogInfo("device ", device_.cpu_model, ": ", device_.peak_gflops, " GFLOP/s, ", device_.bandwidth_gbps, " GB/s");
    ReadHealth();
    std::thread worker([this] { Work(); });
    const Status status = StayAttached();
    Stop();
    worker.join();
    return status;
  }

  void Stop() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    stream_.Stop();
  }

 private:
  Status LockDirectory() {
    StatusOr<UniqueFd> lock = LockFile(StrCat(options_.work_directory, "/lock"));
    if (absl::IsFailedPrecondition(lock.status())) {
      return absl::FailedPreconditionError(
          StrCat("another agent works in ", options_.work_directory, "; give this one its own --work-dir"));
    }
    TILTH_RETURN_IF_ERROR(lock.status());
    lock_ = *std::move(lock);
    return absl::OkStatus();
  }

  StatusOr<std::string> Identity() {
    const std::string known = ReadAgentId(options_.work_directory);
    if (!known.empty()) return known;
    std::string fresh = UniqueId();
    TILTH_RETURN_IF_ERROR(WriteAgentId(options_.work_directory, fresh));
    return fresh;
  }

  Status StayAttached() {
    std::chrono::milliseconds backoff = kFirstBackoff;
    Rng rng(static_cast<uint64_t>(SystemClock().NowNs()) ^ std::hash<std::string>()(agent_id_));
    for (;;) {
      const int64_t begin_ns = SystemClock().NowNs();
      const Status ended = stream_.Converse(
          Hello(), [this](const proto::TrackerMessage& message) { OnMessage(message); }, [this] { return Holding(); });
      if (ended.ok()) continue;
      std::unique_lock lock(mutex_);
      if (stopping_) return absl::OkStatus();
      if (RefusedForGood(ended))
        return Annotate(ended, StrCat("the tracker at ", options_.tracker, " refuses this agent"));
      // A connection that lasted was a good one: begin anew.
      if (SystemClock().NowNs() - begin_ns > kGoodConnectionNs) backoff = kFirstBackoff;
      const std::string line =
          StrCat("no connection to the tracker at ", options_.tracker, ": ", ToStd(ended.message()));
      LogLine(backoff == kFirstBackoff ? LogLevel::kWarning : LogLevel::kInfo, line);
      // Not all boards of a lab at once, when their tracker comes back.
      wake_.wait_for(lock, backoff * (0.5 + 0.5 * rng.Uniform()), [this] { return stopping_; });
      backoff = std::min(2 * backoff, kLongestBackoff);
    }
  }

  proto::AgentHello Hello() {
    proto::AgentHello hello;
    hello.set_protocol_version(kProtocolVersion);
    hello.set_agent_version(std::string(kVersion));
    hello.set_agent_id(agent_id_);
    ToProto(device_, hello.mutable_device());
    for (proto::Lease& lease : Holding()) *hello.add_holding() = std::move(lease);
    hello.set_slots(kSlots);
    for (const std::string& tag : options_.tags) hello.add_tags(tag);
    ToProto(monitor_->last(), hello.mutable_health());
    return hello;
  }

  std::vector<proto::Lease> Holding() {
    std::vector<proto::Lease> leases;
    {
      std::lock_guard lock(mutex_);
      if (running_) leases.push_back(*running_);
      for (const Waiting& waiting : queue_) leases.push_back(waiting.grant.lease());
    }
    for (proto::Lease& lease : messenger_->Holding()) leases.push_back(std::move(lease));
    return leases;
  }

  void OnMessage(const proto::TrackerMessage& message) {
    switch (message.kind_case()) {
      case proto::TrackerMessage::kWelcome:
        confirm_results_ = message.welcome().confirm_results();
        messenger_->SendAgain();
        break;
      case proto::TrackerMessage::kGrant: {
        for (const proto::Blob& blob : message.grant().blobs()) {
          if (const Status kept = blobs_->Keep(blob); !kept.ok()) LogWarning("a blob of a grant: ", kept.ToString());
        }
        std::lock_guard lock(mutex_);
        queue_.push_back({message.grant(), SystemClock().NowNs()});
        queue_.back().grant.clear_blobs();
        wake_.notify_all();
        break;
      }
      case proto::TrackerMessage::kAck:
        messenger_->Forget(message.ack().lease());
        break;
      case proto::TrackerMessage::kRevoke: {
        messenger_->Forget(message.revoke().lease());
        std::lock_guard lock(mutex_);
        std::erase_if(
            queue_, [&](const Waiting& waiting) { return SameLease(waiting.grant.lease(), message.revoke().lease()); });
        break;
      }
      default:
        break;
    }
  }

  // On the worker's thread, or before it starts.
  void ReadHealth() {
    proto::AgentMessage message;
    const DeviceHealth health = monitor_->Read();
    ToProto(health, message.mutable_heartbeat()->mutable_health());
    watch_closely_ = health.canary_lost > kLossToWatch || health.canary_ratio < 1 - kLossToWatch;
    for (proto::Lease& lease : Holding()) *message.mutable_heartbeat()->add_holding() = std::move(lease);
    last_reading_ns_ = SystemClock().NowNs();
    results_since_reading_ = false;
    messenger_->Post(std::move(message));
  }

  // The worker: one trial after another. It sleeps while a trial runs, so it may live on the core that measures, where
  // nobody keeps it from reading a result and starting the next trial.
  void Work() {
    MoveTo(options_.executor.core);
    std::unique_lock lock(mutex_);
    for (;;) {
      const std::chrono::nanoseconds until_reading(UntilReadingNs());
      wake_.wait_for(lock, until_reading, [this] { return stopping_ || !queue_.empty(); });
      if (stopping_) return;
      if (UntilReadingNs() <= 0) {
        lock.unlock();
        ReadHealth();
        lock.lock();
        continue;
      }
      if (queue_.empty()) continue;
      Waiting next = std::move(queue_.front());
      queue_.pop_front();
      running_ = next.grant.lease();
      lock.unlock();
      CarryOut(next);
      lock.lock();
      running_.reset();
    }
  }

  // How long the next reading of health may wait. Results that wait for one do not wait for an idle device.
  int64_t UntilReadingNs() const {
    if (results_since_reading_ && queue_.empty()) return 0;
    const int64_t interval_ns = results_since_reading_ || watch_closely_ ? kBusyReadingNs : kIdleReadingNs;
    return last_reading_ns_ + interval_ns - SystemClock().NowNs();
  }

  struct Waiting {
    proto::Grant grant;
    int64_t granted_ns;
  };

  void CarryOut(const Waiting& waiting) {
    const Trial trial = FromProto(waiting.grant.trial());
    const StatusOr<std::string> baseline_path = blobs_->Fetch(trial.baseline_hash);
    if (!baseline_path.ok()) return ReturnLease(waiting.grant.lease(), baseline_path.status());
    const StatusOr<std::string> artifact_path = blobs_->Fetch(trial.artifact_hash);
    if (!artifact_path.ok()) return ReturnLease(waiting.grant.lease(), artifact_path.status());
    proto::AgentMessage started;
    *started.mutable_started()->mutable_lease() = waiting.grant.lease();
    messenger_->Post(std::move(started));
    const int64_t begin_ns = SystemClock().NowNs();
    MeasureResult result = executor_->Execute(trial, *artifact_path, *baseline_path);
    const int64_t end_ns = SystemClock().NowNs();
    if (IsOwnFailure(result.status)) return ReturnLease(waiting.grant.lease(), result.status);
    if (confirm_results_) {
      results_since_reading_ = true;
    } else {
      const double own_ratio = result.health.canary_ratio;
      result.health = monitor_->last();
      if (own_ratio > 0) result.health.canary_ratio = own_ratio;
    }
    result.device_fingerprint = device_.fingerprint;
    result.transfer_ms = (begin_ns - waiting.granted_ns) / 1'000'000;
    result.run_ms = (end_ns - begin_ns + 500'000) / 1'000'000;  // rounded: sums of many are right

    proto::AgentMessage message;
    proto::TrialFinished* finished = message.mutable_finished();
    *finished->mutable_lease() = waiting.grant.lease();
    ToProto(result, finished->mutable_result());
    finished->set_busy_seconds(static_cast<double>(end_ns - begin_ns) * 1e-9);
    messenger_->Post(std::move(message));
  }

  void ReturnLease(const proto::Lease& lease, const Status& why) {
    LogWarning("giving trial ", lease.trial_id(), " back: ", why.ToString());
    proto::AgentMessage message;
    *message.mutable_returned()->mutable_lease() = lease;
    message.mutable_returned()->set_reason(std::string(ToStd(why.message())));
    messenger_->Post(std::move(message));
  }

  const AgentOptions options_;
  TrackerStream stream_;
  UniqueFd lock_;
  std::string agent_id_;
  Device device_;
  std::unique_ptr<Messenger> messenger_;
  std::unique_ptr<BlobStore> blobs_;
  std::unique_ptr<TrialExecutor> executor_;
  std::unique_ptr<HealthMonitor> monitor_;
  int64_t last_reading_ns_ = 0;         // of the worker
  bool results_since_reading_ = false;  // of the worker; they wait for it
  bool watch_closely_ = false;          // of the worker: the last reading was not good
  std::atomic<bool> confirm_results_ = false;

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::deque<Waiting> queue_;
  std::optional<proto::Lease> running_;
};

StatusOr<Device> KnowDevice(const AgentOptions& options, TrialExecutor& executor) {
  Device device = DescribeDevice();
  device.device_class = options.device_class;
  TILTH_RETURN_IF_ERROR(executor.Identify(&device));
  TILTH_RETURN_IF_ERROR(executor.Calibrate(&device, options.recalibrate));
  if (!options.containment.empty()) StrAppend(&device.sandbox, ", ", options.containment);
  return device;
}

StatusOr<std::unique_ptr<Agent>> Agent::Create(const AgentOptions& options) {
  // Before the threads of the connection are there.
  KeepOff(options.executor.core);
  auto impl = std::make_unique<Impl>(options);
  TILTH_RETURN_IF_ERROR(impl->Init(), "preparing the agent");
  return std::unique_ptr<Agent>(new Agent(std::move(impl)));
}

Agent::Agent(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Agent::~Agent() = default;
Status Agent::Run() { return impl_->Run(); }
void Agent::Stop() { impl_->Stop(); }

}  // namespace tilth
