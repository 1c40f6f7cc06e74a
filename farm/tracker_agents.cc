// The tracker towards agents: what they say on their streams.
#include <algorithm>

#include "base/version.h"
#include "farm/event_log.h"
#include "farm/limits.h"
#include "farm/tracker.h"
#include "proto/measure.h"
#include "proto/names.h"

namespace tilth {
namespace {

constexpr int kHeartbeatsPerLease = 4;
constexpr int kMaxSlots = 16;

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
  device.busy_seconds = 0;
  device.port = std::move(port);
  StoreRecord(device);
  proto::TrackerMessage welcome;
  welcome.mutable_welcome()->set_tracker_version(std::string(kVersion));
  welcome.mutable_welcome()->set_heartbeat_ms(static_cast<int>(options_.lease_ms / kHeartbeatsPerLease));
  welcome.mutable_welcome()->set_confirm_results(options_.quarantine);
  Send(device, std::move(welcome));
  LogEvent(LogLevel::kInfo, "device-attached")
      .Add("agent", device.agent_id)
      .Add("host", hello.device().host_name())
      .Add("class", hello.device().device_class())
      .Add("version", hello.agent_version())
      .Add("holding", hello.holding_size());
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
  device->offline_since_ms = clock_.WallMs();
  ForgetLater(*device);
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
      // Whether it has begun is not known after a restart of the tracker; agents do not say it again.
      if (!trial->started && device.leases.size() == 1) {
        trial->phase_deadline_ns = clock_.NowNs() + TransferAllowanceNs(*trial) + RunAllowanceNs(*trial);
      }
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
  // An acknowledgement is a promise.
  std::vector<Effect>& effects = message.has_ack() ? effects_.durable : effects_.early;
  effects.push_back([port = device.port, message = std::move(message)](const Status& status) mutable {
    if (status.ok()) port->Send(std::move(message));
  });
}

void Tracker::CloseStream(DeviceState& device, const Status& why) {
  effects_.early.push_back([port = device.port, why](const Status&) { port->Close(why); });
  GoOffline(device);
}

void Tracker::GoOffline(DeviceState& device) {
  device.port = nullptr;
  device.offline_since_ms = clock_.WallMs();
  StoreRecord(device);
  UpdateFree(device);
}

void Tracker::Detach(const std::string& agent_id, const AgentPort* port) {
  DeviceState* device = FindDevice(agent_id, port);
  if (device == nullptr) return;
  GoOffline(*device);
  LogEvent(LogLevel::kInfo, "device-gone")
      .Add("agent", agent_id)
      .Add("host", device->hello.device().host_name())
      .Add("leases", static_cast<int64_t>(device->leases.size()));
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
  trial->phase_deadline_ns = clock_.NowNs() + RunAllowanceNs(*trial);
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
    result.set_queue_ms(std::max<int64_t>(0, lease.waited_ms()));
    const double busy_seconds = std::clamp(finished.busy_seconds(), 0.0, 1e6);
    device.busy_seconds += busy_seconds;
    device.failures_in_row = 0;
    LogEvent(LogLevel::kInfo, "trial-finished")
        .Add("trial", trial->id())
        .Add("session", lease.session_id())
        .Add("agent", device.agent_id)
        .Add("error", ToString(static_cast<MeasureErrorKind>(result.error())))
        .Add("status", result.status_code())
        .Add("run_ms", result.run_ms());
    SessionState& session = *trial->session;
    session.trial_seconds += (busy_seconds - session.trial_seconds) / (session.trial_seconds_known ? 8 : 1);
    session.trial_seconds_known = true;
    device.device_class->queue.SetTrialSeconds(session.number, session.trial_seconds);
    RecordSoon(device);
    if (Spoiled(device, result)) {
      device.trials_spoiled += 1;
      MeasureAgain(*trial, result);
    } else {
      device.trials_done += 1;
      device.trials_failed += result.error() != proto::MEASURE_ERROR_NONE ? 1 : 0;
      Finish(*trial, std::move(result));
    }
  }
  // Only what is kept is acknowledged, now or before.
  const TrialState* trial = FindTrial(lease.session_id(), lease.trial_id());
  proto::TrackerMessage message;
  const bool kept = trial != nullptr && trial->lease.token == lease.token();
  *(kept ? message.mutable_ack()->mutable_lease() : message.mutable_revoke()->mutable_lease()) = lease;
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

}  // namespace tilth
