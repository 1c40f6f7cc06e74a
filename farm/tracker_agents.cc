// The tracker towards agents: attaching, losing leases, taking results.
#include <algorithm>

#include "base/logging.h"
#include "base/version.h"
#include "farm/limits.h"
#include "farm/tracker.h"

namespace tilth {
namespace {

constexpr int kHeartbeatsPerLease = 4;
constexpr int kMaxSlots = 16;
// A trial's run deadline is that of one child; this many at most run for it: the baseline, and the candidate again
// where its time or the device was in doubt, each again if somebody killed it.
constexpr int kRunsPerTrial = 8;
constexpr int64_t kDefaultRunDeadlineMs = 10'000;

}  // namespace

Status Tracker::Attach(const proto::AgentHello& hello, std::shared_ptr<AgentPort> port) {
  TILTH_RETURN_IF_ERROR(CheckHello(hello));
  DeviceState& device = DeviceOf(hello.agent_id(), hello.device().device_class());
  if (device.port != nullptr) CloseStream(device, absl::AbortedError("the same agent has attached again"));
  device.hello = hello;
  device.hello.clear_holding();
  device.tags.assign(hello.tags().begin(), hello.tags().end());
  std::sort(device.tags.begin(), device.tags.end());
  device.device_class = ClassOf(hello.device().device_class());
  const auto settings = settings_.find(hello.agent_id());
  device.settings = settings == settings_.end() ? StoredDevice{.agent_id = hello.agent_id()} : settings->second;
  device.slots = static_cast<size_t>(std::clamp(hello.slots(), 1, kMaxSlots));
  device.sent_blobs.clear();
  device.attached_ns = clock_.NowNs();
  device.port = std::move(port);
  proto::TrackerMessage welcome;
  welcome.mutable_welcome()->set_tracker_version(std::string(kVersion));
  welcome.mutable_welcome()->set_heartbeat_ms(static_cast<int>(options_.lease_ms / kHeartbeatsPerLease));
  welcome.mutable_welcome()->set_confirm_results(options_.quarantine);
  Send(device, std::move(welcome));
  LogInfo("device ", Printable(hello.device().host_name()), " (", hello.device().device_class(), ", agent ",
          hello.agent_id(), ") attached");
  ReconcileLeases(device, hello);
  if (hello.has_health()) OnHealth(device, hello.health());
  UpdateFree(device);
  Dispatch(*device.device_class);
  return absl::OkStatus();
}

DeviceState& Tracker::DeviceOf(const std::string& agent_id, const std::string& device_class) {
  std::unique_ptr<DeviceState>& device = devices_[agent_id];
  if (device != nullptr) return *device;
  device = std::make_unique<DeviceState>();
  device->agent_id = agent_id;
  device->hello.mutable_device()->set_device_class(device_class);
  device->device_class = ClassOf(device_class);
  device->turn = ++last_number_;
  return *device;
}

void Tracker::ReconcileLeases(DeviceState& device, const proto::AgentHello& hello) {
  const std::vector<TrialState*> before = std::exchange(device.leases, {});
  for (TrialState* trial : before) trial->measured = false;
  device.measured = 0;
  for (const proto::Lease& lease : hello.holding()) {
    TrialState* trial = FindLeased(device.agent_id, lease);
    if (trial == nullptr) {
      proto::TrackerMessage revoke;
      *revoke.mutable_revoke()->mutable_lease() = lease;
      Send(device, std::move(revoke));
    } else if (std::find(device.leases.begin(), device.leases.end(), trial) == device.leases.end()) {
      device.leases.push_back(trial);
      RenewLease(*trial);
    }
  }
  for (TrialState* trial : before) {
    if (std::find(device.leases.begin(), device.leases.end(), trial) == device.leases.end()) {
      LoseLease(*trial, "its agent was restarted", Loss::kAgentLost);
    }
  }
  WatchTransfer(device);
}

DeviceState* Tracker::FindDevice(const std::string& agent_id, const AgentPort* port) {
  const auto found = devices_.find(agent_id);
  return found == devices_.end() || found->second->port.get() != port ? nullptr : found->second.get();
}

void Tracker::Send(DeviceState& device, proto::TrackerMessage message) {
  AddEffect([port = device.port, message = std::move(message)](const Status& committed) mutable {
    if (committed.ok()) port->Send(std::move(message));
  });
}

void Tracker::CloseStream(DeviceState& device, const Status& why) {
  AddEffect([port = std::exchange(device.port, nullptr), why](const Status&) { port->Close(why); });
  UpdateFree(device);
}

void Tracker::Detach(const std::string& agent_id, const AgentPort* port) {
  DeviceState* device = FindDevice(agent_id, port);
  if (device == nullptr) return;
  device->port = nullptr;
  UpdateFree(*device);
  LogInfo("device ", Printable(device->hello.device().host_name()), " (agent ", agent_id, ") has gone");
  // Trials that avoided another device because of this one.
  Dispatch(*device->device_class);
}

void Tracker::OnMessage(const std::string& agent_id, const AgentPort* port, const proto::AgentMessage& message) {
  DeviceState* device = FindDevice(agent_id, port);
  if (device == nullptr) return;
  switch (message.kind_case()) {
    case proto::AgentMessage::kHeartbeat:
      return OnHeartbeat(*device, message.heartbeat());
    case proto::AgentMessage::kStarted:
      return OnStarted(*device, message.started().lease());
    case proto::AgentMessage::kMeasured:
      return OnMeasured(*device, message.measured().lease());
    case proto::AgentMessage::kFinished:
      return OnFinished(*device, message.finished());
    case proto::AgentMessage::kReturned:
      return OnReturned(*device, message.returned());
    default:
      return CloseStream(*device, absl::InvalidArgumentError("an unexpected message"));
  }
}

void Tracker::OnHeartbeat(DeviceState& device, const proto::Heartbeat& heartbeat) {
  for (const proto::Lease& lease : heartbeat.holding()) {
    if (TrialState* trial = FindLeased(device.agent_id, lease)) RenewLease(*trial);
  }
  if (heartbeat.has_health()) OnHealth(device, heartbeat.health());
}

void Tracker::OnStarted(DeviceState& device, const proto::Lease& lease) {
  TrialState* trial = FindLeased(device.agent_id, lease);
  if (trial == nullptr || trial->started) return;
  trial->started = true;
  const int64_t own_ms = trial->trial.run_deadline_ms();
  const int64_t allowed_ms = kRunsPerTrial * (own_ms > 0 ? own_ms : kDefaultRunDeadlineMs) + options_.run_slack_ms;
  trial->phase_deadline_ns = clock_.NowNs() + allowed_ms * 1'000'000;
  RenewLease(*trial);
}

void Tracker::OnMeasured(DeviceState& device, const proto::Lease& lease) {
  TrialState* trial = FindLeased(device.agent_id, lease);
  if (trial == nullptr || trial->measured) return;
  trial->measured = true;
  ++device.measured;
  RenewLease(*trial);
  WatchTransfer(device);
  UpdateFree(device);
  Dispatch(*device.device_class);
}

void Tracker::OnFinished(DeviceState& device, const proto::TrialFinished& finished) {
  const proto::Lease& lease = finished.lease();
  if (TrialState* trial = FindLeased(device.agent_id, lease)) {
    proto::MeasureResult result = finished.result();
    TrimResult(&result);
    result.set_agent_id(device.agent_id);
    result.set_queue_ms(trial->granted_ms == 0 ? 0 : std::max<int64_t>(0, trial->granted_ms - trial->submitted_ms));
    const double busy_seconds = std::clamp(finished.busy_seconds(), 0.0, 1e6);
    device.busy_seconds += busy_seconds;
    SessionState& session = *trial->session;
    session.trial_seconds += (busy_seconds - session.trial_seconds) / (session.trial_seconds_known ? 8 : 1);
    session.trial_seconds_known = true;
    device.device_class->queue.SetTrialSeconds(session.number, session.trial_seconds);
    if (Spoiled(device, result)) {
      MeasureAgain(*trial, result);
    } else {
      device.trials_done += 1;
      device.trials_failed += result.error() != proto::MEASURE_ERROR_NONE ? 1 : 0;
      Finish(*trial, std::move(result));
    }
  }
  proto::TrackerMessage message;
  *message.mutable_ack()->mutable_lease() = lease;
  Send(device, std::move(message));
  Dispatch(*device.device_class);
}

void Tracker::OnReturned(DeviceState& device, const proto::TrialReturned& returned) {
  TrialState* trial = FindLeased(device.agent_id, returned.lease());
  if (trial == nullptr) return;
  LoseLease(*trial, Printable(returned.reason()), Loss::kReturned);
  Dispatch(*device.device_class);
}

StatusOr<proto::Blob> Tracker::GetBlob(const std::string& hash) {
  if (!blob_references_.contains(hash)) {
    return absl::NotFoundError(StrCat("no unfinished trial has a blob ", Printable(hash)));
  }
  StatusOr<std::string> frame = store_.GetBlob(hash);
  Note(frame.status());
  TILTH_RETURN_IF_ERROR(frame.status());
  proto::Blob blob;
  blob.set_hash(hash);
  blob.set_data(*std::move(frame));
  return blob;
}

TrialState* Tracker::FindLeased(const std::string& agent_id, const proto::Lease& lease) {
  TrialState* trial = FindTrial(lease.session_id(), lease.trial_id());
  const bool current =
      trial != nullptr && !trial->Done() && trial->lease.token == lease.token() && trial->lease.agent_id == agent_id;
  return current ? trial : nullptr;
}

void Tracker::RenewLease(TrialState& trial) {
  trial.lease_expires_ns = clock_.NowNs() + options_.lease_ms * 1'000'000;
  SetTimer(trial);
}

void Tracker::WatchTransfer(DeviceState& device) {
  const auto running = std::find_if(device.leases.begin(), device.leases.end(),
                                    [](const TrialState* trial) { return !trial->measured; });
  if (running == device.leases.end()) return;
  TrialState& first = **running;
  if (first.started || first.phase_deadline_ns != kNever) return;
  const int64_t own_ms = first.trial.transfer_deadline_ms();
  first.phase_deadline_ns = clock_.NowNs() + (own_ms > 0 ? own_ms : options_.transfer_ms) * 1'000'000;
  SetTimer(first);
}

void Tracker::ReleaseFromDevice(TrialState& trial) {
  const auto found = devices_.find(trial.lease.agent_id);
  if (found == devices_.end()) return;
  DeviceState& device = *found->second;
  std::erase(device.leases, &trial);
  if (std::exchange(trial.measured, false)) --device.measured;
  WatchTransfer(device);
  UpdateFree(device);
}

void Tracker::Revoke(const TrialState& trial) {
  const auto found = devices_.find(trial.lease.agent_id);
  if (found == devices_.end() || found->second->port == nullptr) return;
  proto::TrackerMessage message;
  proto::Lease* lease = message.mutable_revoke()->mutable_lease();
  lease->set_session_id(trial.session->stored.id);
  lease->set_trial_id(trial.id());
  lease->set_token(trial.lease.token);
  Send(*found->second, std::move(message));
}

void Tracker::OnTimer(TrialState& trial) {
  if (!trial.Leased()) {
    proto::MeasureResult result;
    result.set_status_code(static_cast<int>(absl::StatusCode::kDeadlineExceeded));
    result.set_status_message(StrCat("no device of class '", trial.session->stored.device_class,
                                     "' was free within the queue deadline of ", trial.trial.queue_deadline_ms(),
                                     " ms"));
    return Finish(trial, std::move(result));
  }
  ClassState* device_class = ClassOf(trial.session->stored.device_class);
  if (trial.lease_expires_ns <= clock_.NowNs()) {
    LoseLease(trial, "its agent has not been heard of", Loss::kAgentLost);
  } else if (!trial.started) {
    LoseLease(trial, "it did not begin within its transfer deadline", Loss::kReturned);
  } else {
    const auto device = devices_.find(trial.lease.agent_id);
    LoseLease(trial, "it ran past its deadline", Loss::kAgentLost);
    if (device != devices_.end() && device->second->port != nullptr) {
      CloseStream(*device->second, absl::AbortedError(StrCat("trial ", trial.id(), " has run past its deadline")));
    }
  }
  Dispatch(*device_class);
}

void Tracker::LoseLease(TrialState& trial, const std::string& reason, Loss loss) {
  LogLine(loss == Loss::kTakenBack ? LogLevel::kInfo : LogLevel::kWarning,
          StrCat("trial ", trial.id(), " lost on agent ", trial.lease.agent_id, ": ", reason));
  StoredLease lease = trial.lease;
  lease.agent_id.clear();
  lease.lost_runs += loss == Loss::kAgentLost && trial.started ? 1 : 0;
  lease.attempts -= loss == Loss::kTakenBack ? 1 : 0;
  proto::MeasureResult result;
  if (lease.lost_runs >= options_.max_lost_runs) {
    result.set_error(proto::MEASURE_ERROR_RUN_CRASH);
    result.set_detail(
        StrCat(lease.lost_runs, " agents were lost while they ran it; the last was ", trial.lease.agent_id));
    return Finish(trial, std::move(result));
  }
  if (lease.attempts >= options_.max_attempts) {
    result.set_status_code(static_cast<int>(absl::StatusCode::kAborted));
    result.set_status_message(
        StrCat("handed out ", lease.attempts, " times without a result; the last time: ", reason));
    return Finish(trial, std::move(result));
  }
  Revoke(trial);
  Unlink(trial);
  Note(store_.PutLease(trial.session->stored.id, trial.id(), lease));
  trial.avoided_agent = trial.lease.agent_id;
  trial.lease = lease;
  trial.started = false;
  Enqueue(trial);
}

void Tracker::Finish(TrialState& trial, proto::MeasureResult result) {
  result.set_trial_id(trial.id());
  result.set_attempts(trial.lease.attempts);
  Unlink(trial);
  trial.result = result.SerializeAsString();
  trial.done_order = ++last_number_;
  Note(store_.PutResult(trial.session->stored.id, trial.id(), trial.result));
  trial.session->results[trial.done_order] = &trial;
  AnswerWaiter(*trial.session);
}

}  // namespace tilth
