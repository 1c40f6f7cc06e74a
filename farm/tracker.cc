// The tracker towards clients and operators. tracker_agents.cc has its other face.
#include "farm/tracker.h"

#include <algorithm>

#include "base/hash.h"
#include "base/logging.h"
#include "proto/measure.h"

namespace tilth {
namespace {

constexpr int kMaxWaitMs = 60'000;

Status UnknownSession(const std::string& session_id) {
  return absl::NotFoundError(StrCat("the tracker has no session ", session_id, "; open it (again)"));
}

}  // namespace

Tracker::Tracker(const TrackerOptions& options, Store& store, const Clock& clock)
    : options_(options), store_(store), clock_(clock) {}

StatusOr<std::unique_ptr<Tracker>> Tracker::Create(const TrackerOptions& options, Store& store, const Clock& clock) {
  std::unique_ptr<Tracker> tracker(new Tracker(options, store, clock));
  TILTH_RETURN_IF_ERROR(tracker->Restore(), "reading the tracker's state");
  return tracker;
}

Status Tracker::Restore() {
  TILTH_ASSIGN_OR_RETURN(epoch_, store_.NextEpoch());
  TILTH_ASSIGN_OR_RETURN(StoredContents contents, store_.Load());
  draining_.insert(contents.draining_agents.begin(), contents.draining_agents.end());
  for (auto& [stored, trials] : contents.sessions) {
    SessionState& session = sessions_[stored.id];
    session.session = stored;
    session.last_seen_ns = clock_.NowNs();
    for (const StoredTrial& from : trials) {
      auto parsed = std::make_shared<proto::Trial>();
      TrialState& trial = session.trials[from.id];
      if (!parsed->ParseFromString(from.trial) || !trial.result.ParseFromString(from.result)) {
        return absl::DataLossError(StrCat("trial ", from.id, " of session ", stored.id, " is damaged"));
      }
      trial.session_id = stored.id;
      trial.trial = std::move(parsed);
      trial.lease = from.lease;
      trial.submitted_ms = from.submitted_ms;
      trial.done = !from.result.empty();
      if (trial.done) {
        session.results.push_back(from.id);
      } else if (trial.Leased()) {
        // The agent most likely still works on it and will say so when it comes back.
        RenewLease(trial);
      } else {
        session.queue.push_back(from.id);
      }
    }
  }
  return absl::OkStatus();
}

Status Tracker::OpenSession(const proto::OpenSessionRequest& request) {
  if (request.session_id().empty() || request.device_class().empty()) {
    return absl::InvalidArgumentError("a session needs an id and a device class");
  }
  std::lock_guard lock(mutex_);
  SessionState* session = FindSession(request.session_id());
  if (session == nullptr) {
    const StoredSession stored{request.session_id(), request.name(), request.device_class()};
    TILTH_RETURN_IF_ERROR(store_.PutSession(stored), "storing the session");
    session = &sessions_[stored.id];
    session->session = stored;
    LogInfo("session ", stored.id, " (", stored.name, ") for device class ", stored.device_class);
  }
  session->last_seen_ns = clock_.NowNs();
  return absl::OkStatus();
}

Status Tracker::PutBlob(const std::string& hash, const std::string& data) {
  if (ContentHash(data) != hash) return absl::InvalidArgumentError("the blob's bytes do not have its hash");
  std::lock_guard lock(mutex_);
  TILTH_ASSIGN_OR_RETURN(bool known, store_.HasBlob(hash));
  return known ? absl::OkStatus() : Annotate(store_.PutBlob(hash, data), "storing a blob");
}

StatusOr<int> Tracker::Submit(const proto::SubmitRequest& request) {
  std::lock_guard lock(mutex_);
  SessionState* session = FindSession(request.session_id());
  if (session == nullptr) return UnknownSession(request.session_id());
  session->last_seen_ns = clock_.NowNs();
  std::vector<StoredTrial> added;
  std::set<std::string> ids;
  for (const proto::Trial& trial : request.trials()) {
    if (trial.trial_id().empty()) return absl::InvalidArgumentError("a trial has no id");
    if (session->trials.count(trial.trial_id()) > 0 || !ids.insert(trial.trial_id()).second) continue;
    TILTH_ASSIGN_OR_RETURN(bool has_baseline, store_.HasBlob(trial.baseline_hash()));
    if (!has_baseline) {
      return absl::FailedPreconditionError(StrCat("trial ", trial.trial_id(), ": its baseline ", trial.baseline_hash(),
                                                  " is not here; put the blob first"));
    }
    added.push_back({.id = trial.trial_id(), .trial = trial.SerializeAsString(), .submitted_ms = clock_.WallMs()});
  }
  TILTH_RETURN_IF_ERROR(store_.AddTrials(request.session_id(), added), "storing trials");
  for (const proto::Trial& trial : request.trials()) {
    if (ids.count(trial.trial_id()) == 0 || session->trials.count(trial.trial_id()) > 0) continue;
    TrialState& state = session->trials[trial.trial_id()];
    state.session_id = request.session_id();
    state.trial = std::make_shared<const proto::Trial>(trial);
    state.submitted_ms = clock_.WallMs();
    session->queue.push_back(trial.trial_id());
  }
  Dispatch(session->session.device_class);
  return static_cast<int>(added.size());
}

void Tracker::WaitResults(const proto::WaitResultsRequest& request, ResultsCallback callback) {
  Deferred deferred;
  std::lock_guard lock(mutex_);
  SessionState* session = FindSession(request.session_id());
  if (session == nullptr) {
    deferred.Add([&] { callback(UnknownSession(request.session_id())); });
    return;
  }
  session->last_seen_ns = clock_.NowNs();
  Acknowledge(*session, request);
  // One wait at a time: an older one belongs to a connection that broke.
  AnswerWaiter(*session, deferred);
  const int64_t wait_ms = std::clamp(request.wait_ms(), 0, kMaxWaitMs);
  session->waiter.reset(new Waiter{clock_.NowNs() + wait_ms * 1'000'000, std::move(callback)});
  if (!session->results.empty() || wait_ms == 0 || stopping_) AnswerWaiter(*session, deferred);
}

void Tracker::Acknowledge(SessionState& session, const proto::WaitResultsRequest& request) {
  std::vector<std::string> ids;
  for (const std::string& id : request.acknowledged_trial_ids()) {
    const auto found = session.trials.find(id);
    if (found != session.trials.end() && found->second.done) ids.push_back(id);
  }
  if (ids.empty()) return;
  if (const Status deleted = store_.DeleteTrials(session.session.id, ids); !deleted.ok()) {
    // They will be delivered again; clients know how to ignore that.
    LogError("forgetting delivered results: ", deleted.ToString());
    return;
  }
  for (const std::string& id : ids) {
    session.trials.erase(id);
    std::erase(session.results, id);
    ++session.delivered;
  }
}

void Tracker::AnswerWaiter(SessionState& session, Deferred& deferred) {
  if (session.waiter == nullptr) return;
  proto::WaitResultsReply reply;
  for (const std::string& id : session.results) *reply.add_results() = session.trials[id].result;
  session.last_seen_ns = clock_.NowNs();
  deferred.Add([callback = std::move(session.waiter->callback), reply = std::move(reply)] { callback(reply); });
  session.waiter = nullptr;
}

StatusOr<int> Tracker::Cancel(const proto::CancelRequest& request) {
  std::lock_guard lock(mutex_);
  SessionState* session = FindSession(request.session_id());
  if (session == nullptr) return UnknownSession(request.session_id());
  session->last_seen_ns = clock_.NowNs();
  std::vector<std::string> ids(request.trial_ids().begin(), request.trial_ids().end());
  if (ids.empty()) {
    for (const auto& [id, trial] : session->trials) ids.push_back(id);
  }
  std::erase_if(ids, [&](const std::string& id) {
    const TrialState* trial = FindTrial(request.session_id(), id);
    return trial == nullptr || trial->done;
  });
  TILTH_RETURN_IF_ERROR(store_.DeleteTrials(request.session_id(), ids), "cancelling trials");
  for (const std::string& id : ids) {
    TrialState& trial = session->trials[id];
    if (trial.Leased()) {
      auto device = devices_.find(trial.lease.agent_id);
      if (device != devices_.end() && device->second.port != nullptr) {
        proto::TrackerMessage message;
        proto::Lease* lease = message.mutable_revoke()->mutable_lease();
        lease->set_session_id(trial.session_id);
        lease->set_trial_id(id);
        lease->set_token(trial.lease.token);
        device->second.port->Send(message);
      }
      ReleaseFromDevice(trial);
    }
    session->trials.erase(id);
  }
  return static_cast<int>(ids.size());
}

Status Tracker::CloseSession(const std::string& session_id) {
  Deferred deferred;
  std::lock_guard lock(mutex_);
  if (FindSession(session_id) == nullptr) return absl::OkStatus();
  TILTH_RETURN_IF_ERROR(store_.DeleteSession(session_id), "closing the session");
  DropSession(session_id, deferred);
  return absl::OkStatus();
}

void Tracker::DropSession(const std::string& session_id, Deferred& deferred) {
  SessionState& session = sessions_[session_id];
  AnswerWaiter(session, deferred);
  for (const auto& [id, trial] : session.trials) {
    if (trial.Leased()) ReleaseFromDevice(trial);
  }
  sessions_.erase(session_id);
  // Blobs belong to sessions; without any, nobody can ask for one.
  if (!sessions_.empty()) return;
  if (const Status deleted = store_.DeleteAllBlobs(); !deleted.ok()) LogWarning("deleting blobs: ", deleted.ToString());
}

proto::ListDevicesReply Tracker::ListDevices(const std::string& device_class) {
  std::lock_guard lock(mutex_);
  proto::ListDevicesReply reply;
  for (const auto& [agent_id, device] : devices_) {
    if (!device_class.empty() && device.hello.device().device_class() != device_class) continue;
    proto::DeviceStatus* status = reply.add_devices();
    status->set_agent_id(agent_id);
    *status->mutable_device() = device.hello.device();
    status->set_state(device.port == nullptr  ? proto::DEVICE_OFFLINE
                      : device.draining       ? proto::DEVICE_DRAINING
                      : device.leases.empty() ? proto::DEVICE_IDLE
                                              : proto::DEVICE_BUSY);
    status->set_trials_done(device.trials_done);
    status->set_trials_failed(device.trials_failed);
    status->set_busy_seconds(device.busy_seconds);
    status->set_canary_ratio(device.canary_ratio);
    status->set_agent_version(device.hello.agent_version());
    if (device.port != nullptr) {
      status->set_attached_seconds(static_cast<double>(clock_.NowNs() - device.attached_ns) * 1e-9);
    }
  }
  return reply;
}

proto::ListJobsReply Tracker::ListJobs() {
  std::lock_guard lock(mutex_);
  proto::ListJobsReply reply;
  for (const auto& [id, session] : sessions_) {
    proto::JobStatus* job = reply.add_jobs();
    job->set_session_id(id);
    job->set_name(session.session.name);
    job->set_device_class(session.session.device_class);
    int64_t running = 0, queued = 0;
    for (const auto& [trial_id, trial] : session.trials) {
      if (!trial.done) ++(trial.Leased() ? running : queued);
    }
    job->set_queued(queued);
    job->set_running(running);
    job->set_undelivered(static_cast<int64_t>(session.results.size()));
    job->set_delivered(session.delivered);
    job->set_idle_seconds(static_cast<double>(clock_.NowNs() - session.last_seen_ns) * 1e-9);
  }
  return reply;
}

StatusOr<int> Tracker::Drain(const std::string& agent_id_or_host, bool resume) {
  std::lock_guard lock(mutex_);
  int count = 0;
  for (auto& [agent_id, device] : devices_) {
    if (agent_id != agent_id_or_host && device.hello.device().host_name() != agent_id_or_host) continue;
    TILTH_RETURN_IF_ERROR(store_.SetDraining(agent_id, !resume), "storing the device's state");
    device.draining = !resume;
    if (resume) {
      draining_.erase(agent_id);
    } else {
      draining_.insert(agent_id);
    }
    ++count;
    Dispatch(device.hello.device().device_class());
  }
  if (count > 0) return count;
  return absl::NotFoundError(
      StrCat("no device has the agent id or host name '", agent_id_or_host, "'; `tilth farm devices` lists them"));
}

Tracker::SessionState* Tracker::FindSession(const std::string& session_id) {
  auto found = sessions_.find(session_id);
  return found == sessions_.end() ? nullptr : &found->second;
}

Tracker::TrialState* Tracker::FindTrial(const std::string& session_id, const std::string& trial_id) {
  SessionState* session = FindSession(session_id);
  if (session == nullptr) return nullptr;
  auto found = session->trials.find(trial_id);
  return found == session->trials.end() ? nullptr : &found->second;
}

void Tracker::Tick() {
  Deferred deferred;
  std::lock_guard lock(mutex_);
  const int64_t now = clock_.NowNs();
  std::vector<std::string> abandoned;
  for (auto& [id, session] : sessions_) {
    if (session.waiter != nullptr && session.waiter->deadline_ns <= now) AnswerWaiter(session, deferred);
    if (session.waiter == nullptr && now - session.last_seen_ns > options_.session_timeout_ms * 1'000'000) {
      abandoned.push_back(id);
    }
    for (auto& [trial_id, trial] : session.trials) {
      if (trial.Leased() && trial.lease_deadline_ns <= now) {
        LoseLease(trial, "its agent has not been heard of", true, deferred);
      }
    }
  }
  for (const std::string& id : abandoned) {
    LogWarning("session ", id, " (", sessions_[id].session.name, "): its client has gone; dropped");
    if (store_.DeleteSession(id).ok()) DropSession(id, deferred);
  }
  std::set<std::string> classes;
  for (const auto& [id, device] : devices_) classes.insert(device.hello.device().device_class());
  for (const std::string& device_class : classes) Dispatch(device_class);
}

void Tracker::Stop() {
  Deferred deferred;
  std::lock_guard lock(mutex_);
  stopping_ = true;
  for (auto& [id, session] : sessions_) AnswerWaiter(session, deferred);
}

}  // namespace tilth
