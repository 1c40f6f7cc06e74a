// The tracker towards agents: attaching, granting and losing leases, taking results.
#include <algorithm>

#include "base/logging.h"
#include "base/version.h"
#include "farm/tracker.h"

namespace tilth {
namespace {

constexpr int kHeartbeatsPerLease = 4;

proto::Lease MakeLease(const std::string& session_id, const std::string& trial_id, uint64_t token) {
  proto::Lease lease;
  lease.set_session_id(session_id);
  lease.set_trial_id(trial_id);
  lease.set_token(token);
  return lease;
}

}  // namespace

Status Tracker::Attach(const proto::AgentHello& hello, std::shared_ptr<AgentPort> port) {
  if (!options_.enrolment_token.empty() && hello.enrolment_token() != options_.enrolment_token) {
    return absl::PermissionDeniedError("the enrolment token is not this tracker's; start the agent with --token");
  }
  if (hello.agent_id().empty() || hello.device().device_class().empty()) {
    return absl::InvalidArgumentError("an agent needs an id and a device class");
  }
  Deferred deferred;
  std::lock_guard lock(mutex_);
  DeviceState& device = devices_[hello.agent_id()];
  if (device.port != nullptr) device.port->Close(absl::AbortedError("the same agent has attached again"));
  device.hello = hello;
  device.port = port;
  device.draining = draining_.count(hello.agent_id()) > 0;
  device.attached_ns = clock_.NowNs();
  proto::TrackerMessage welcome;
  welcome.mutable_welcome()->set_tracker_version(std::string(kVersion));
  welcome.mutable_welcome()->set_heartbeat_ms(static_cast<int>(options_.lease_ms / kHeartbeatsPerLease));
  port->Send(welcome);
  LogInfo("device ", hello.device().host_name(), " (", hello.device().device_class(), ", agent ", hello.agent_id(),
          ") attached");
  ReconcileLeases(device, deferred);
  Dispatch(hello.device().device_class());
  return absl::OkStatus();
}

void Tracker::ReconcileLeases(DeviceState& device, Deferred& deferred) {
  const std::string& agent_id = device.hello.agent_id();
  device.leases.clear();
  for (const proto::Lease& lease : device.hello.holding()) {
    if (TrialState* trial = FindLeased(agent_id, lease)) {
      device.leases.emplace(lease.session_id(), lease.trial_id());
      RenewLease(*trial);
    } else {
      proto::TrackerMessage revoke;
      *revoke.mutable_revoke()->mutable_lease() = lease;
      device.port->Send(revoke);
    }
  }
  // Found first and lost then: losing a lease hands out others.
  std::vector<TrialState*> lost;
  for (auto& [session_id, session] : sessions_) {
    for (auto& [trial_id, trial] : session.trials) {
      if (trial.Leased() && trial.lease.agent_id == agent_id && device.leases.count({session_id, trial_id}) == 0) {
        lost.push_back(&trial);
      }
    }
  }
  for (TrialState* trial : lost) LoseLease(*trial, "its agent was restarted", true, deferred);
}

void Tracker::Detach(const std::string& agent_id, const AgentPort* port) {
  std::lock_guard lock(mutex_);
  auto device = devices_.find(agent_id);
  if (device == devices_.end() || device->second.port.get() != port) return;
  device->second.port = nullptr;
  LogInfo("device ", device->second.hello.device().host_name(), " (agent ", agent_id, ") has gone");
}

void Tracker::OnHeartbeat(const std::string& agent_id, const proto::Heartbeat& heartbeat) {
  std::lock_guard lock(mutex_);
  for (const proto::Lease& lease : heartbeat.holding()) {
    if (TrialState* trial = FindLeased(agent_id, lease)) RenewLease(*trial);
  }
}

void Tracker::OnStarted(const std::string& agent_id, const proto::Lease& lease) {
  std::lock_guard lock(mutex_);
  if (TrialState* trial = FindLeased(agent_id, lease)) {
    trial->started = true;
    RenewLease(*trial);
  }
}

void Tracker::OnFinished(const std::string& agent_id, const proto::TrialFinished& finished) {
  Deferred deferred;
  std::lock_guard lock(mutex_);
  auto found = devices_.find(agent_id);
  if (found == devices_.end() || found->second.port == nullptr) return;
  DeviceState& device = found->second;
  const proto::Lease& lease = finished.lease();
  if (TrialState* trial = FindLeased(agent_id, lease)) {
    proto::MeasureResult result = finished.result();
    result.set_agent_id(agent_id);
    result.set_queue_ms(std::max<int64_t>(0, trial->granted_ms - trial->submitted_ms));
    if (const Status stored = Finish(*trial, std::move(result), deferred); !stored.ok()) {
      // Unacknowledged, so the agent keeps it; closing the stream makes it come back and send it again.
      LogError("storing a result: ", stored.ToString());
      device.port->Close(absl::UnavailableError(StrCat("the tracker cannot store results: ", ToStd(stored.message()))));
      return;
    }
    device.trials_done += 1;
    device.trials_failed += finished.result().error() != proto::MEASURE_ERROR_NONE ? 1 : 0;
    device.busy_seconds += finished.busy_seconds();
    if (finished.result().canary_ratio() > 0) device.canary_ratio = finished.result().canary_ratio();
  }
  proto::TrackerMessage message;
  *message.mutable_ack()->mutable_lease() = lease;
  device.port->Send(message);
  Dispatch(device.hello.device().device_class());
}

void Tracker::OnReturned(const std::string& agent_id, const proto::TrialReturned& returned) {
  Deferred deferred;
  std::lock_guard lock(mutex_);
  if (TrialState* trial = FindLeased(agent_id, returned.lease())) {
    LoseLease(*trial, returned.reason(), false, deferred);
  }
}

StatusOr<std::string> Tracker::GetBlob(const std::string& hash) {
  std::lock_guard lock(mutex_);
  return store_.GetBlob(hash);
}

Tracker::TrialState* Tracker::FindLeased(const std::string& agent_id, const proto::Lease& lease) {
  TrialState* trial = FindTrial(lease.session_id(), lease.trial_id());
  const bool current =
      trial != nullptr && !trial->done && trial->lease.token == lease.token() && trial->lease.agent_id == agent_id;
  return current ? trial : nullptr;
}

void Tracker::RenewLease(TrialState& trial) {
  trial.lease_deadline_ns = clock_.NowNs() + options_.lease_ms * 1'000'000;
}

void Tracker::ReleaseFromDevice(const TrialState& trial) {
  auto device = devices_.find(trial.lease.agent_id);
  if (device != devices_.end()) device->second.leases.erase({trial.session_id, trial.trial->trial_id()});
}

void Tracker::LoseLease(TrialState& trial, const std::string& reason, bool agent_lost, Deferred& deferred) {
  const std::string id = trial.trial->trial_id();
  LogWarning("trial ", id, " lost on agent ", trial.lease.agent_id, ": ", reason);
  StoredLease lease = trial.lease;
  lease.agent_id.clear();
  lease.lost_runs += agent_lost && trial.started ? 1 : 0;
  proto::MeasureResult result;
  if (lease.lost_runs >= options_.max_lost_runs) {
    result.set_error(proto::MEASURE_ERROR_RUN_CRASH);
    result.set_detail(
        StrCat(lease.lost_runs, " agents were lost while they ran it; the last was ", trial.lease.agent_id));
  } else if (lease.attempts >= options_.max_attempts) {
    result.set_status_code(static_cast<int>(absl::StatusCode::kAborted));
    result.set_status_message(
        StrCat("handed out ", lease.attempts, " times without a result; the last time: ", reason));
  }
  const bool give_up = result.error() != proto::MEASURE_ERROR_NONE || result.status_code() != 0;
  const Status stored =
      give_up ? Finish(trial, std::move(result), deferred) : store_.PutLease(trial.session_id, id, lease);
  if (!stored.ok()) {
    LogError("storing a lost lease: ", stored.ToString());
    RenewLease(trial);  // and it will expire again
    return;
  }
  if (give_up) return;
  ReleaseFromDevice(trial);
  trial.lease = lease;
  trial.started = false;
  sessions_[trial.session_id].queue.push_front(id);
  Dispatch(sessions_[trial.session_id].session.device_class);
}

Status Tracker::Finish(TrialState& trial, proto::MeasureResult result, Deferred& deferred) {
  const std::string id = trial.trial->trial_id();
  result.set_trial_id(id);
  result.set_attempts(trial.lease.attempts);
  TILTH_RETURN_IF_ERROR(store_.PutResult(trial.session_id, id, result.SerializeAsString()));
  ReleaseFromDevice(trial);
  trial.done = true;
  trial.result = std::move(result);
  SessionState& session = sessions_[trial.session_id];
  session.results.push_back(id);
  AnswerWaiter(session, deferred);
  return absl::OkStatus();
}

void Tracker::Dispatch(const std::string& device_class) {
  // Idle devices first, so that no trial waits beside a running one while a device has nothing.
  std::vector<DeviceState*> free;
  for (auto& [id, device] : devices_) {
    const size_t slots = static_cast<size_t>(std::max(1, device.hello.slots()));
    if (device.port != nullptr && !device.draining && device.hello.device().device_class() == device_class &&
        device.leases.size() < slots) {
      free.push_back(&device);
    }
  }
  std::sort(free.begin(), free.end(),
            [](const DeviceState* a, const DeviceState* b) { return a->leases.size() < b->leases.size(); });
  while (!free.empty()) {
    std::vector<DeviceState*> still_free;
    for (DeviceState* device : free) {
      if (!GrantOne(*device)) return;
      if (device->leases.size() < static_cast<size_t>(std::max(1, device->hello.slots()))) still_free.push_back(device);
    }
    free = std::move(still_free);
  }
}

bool Tracker::GrantOne(DeviceState& device) {
  const std::string& device_class = device.hello.device().device_class();
  std::string& last = last_served_[device_class];
  // Sessions take turns, beginning behind the one that was served last.
  std::vector<SessionState*> turn;
  for (auto it = sessions_.upper_bound(last); it != sessions_.end(); ++it) turn.push_back(&it->second);
  for (auto it = sessions_.begin(); it != sessions_.end() && it->first <= last; ++it) turn.push_back(&it->second);
  for (SessionState* session : turn) {
    if (session->session.device_class != device_class) continue;
    const StatusOr<bool> granted = Grant(device, *session);
    if (!granted.ok()) {
      LogError("granting a lease: ", granted.status().ToString());
      return false;
    }
    if (!*granted) continue;
    last = session->session.id;
    return true;
  }
  return false;
}

StatusOr<bool> Tracker::Grant(DeviceState& device, SessionState& session) {
  while (!session.queue.empty()) {
    const std::string id = session.queue.front();
    auto found = session.trials.find(id);
    if (found == session.trials.end() || found->second.done || found->second.Leased()) {
      session.queue.pop_front();
      continue;
    }
    TrialState& trial = found->second;
    StoredLease lease = trial.lease;
    lease.token = NextToken();
    lease.agent_id = device.hello.agent_id();
    ++lease.attempts;
    TILTH_RETURN_IF_ERROR(store_.PutLease(session.session.id, id, lease));
    session.queue.pop_front();
    trial.lease = lease;
    trial.started = false;
    trial.granted_ms = clock_.WallMs();
    RenewLease(trial);
    device.leases.emplace(session.session.id, id);
    proto::TrackerMessage message;
    proto::Grant* grant = message.mutable_grant();
    *grant->mutable_lease() = MakeLease(session.session.id, id, lease.token);
    *grant->mutable_trial() = *trial.trial;
    device.port->Send(message);
    return true;
  }
  return false;
}

}  // namespace tilth
