// Making a tracker from the store, and its passing of time. tracker_clients.cc, tracker_agents.cc,
// tracker_dispatch.cc, tracker_records.cc and tracker_operations.cc have its faces.
#include "farm/tracker.h"

#include "farm/event_log.h"

namespace tilth {

Tracker::Tracker(const TrackerOptions& options, Store& store, const Clock& clock)
    : options_(options), store_(store), clock_(clock) {}

StatusOr<std::unique_ptr<Tracker>> Tracker::Create(const TrackerOptions& options, Store& store, const Clock& clock) {
  std::unique_ptr<Tracker> tracker(new Tracker(options, store, clock));
  TILTH_RETURN_IF_ERROR(tracker->Restore(), "reading the tracker's state");
  return tracker;
}

Status Tracker::Restore() {
  TILTH_ASSIGN_OR_RETURN(epoch_, store_.NextEpoch());
  TILTH_ASSIGN_OR_RETURN(const StoredContents contents, store_.Load());
  for (const StoredDevice& device : contents.devices) settings_[device.agent_id] = device;
  for (const StoredRecord& record : contents.records) RestoreRecord(record);
  for (const StoredPoison& poison : contents.poison) poison_until_ms_[poison.artifact_hash] = poison.until_ms;
  for (const StoredContents::SessionContents& session : contents.sessions) {
    TILTH_RETURN_IF_ERROR(RestoreSession(session));
  }
  return DeleteOrphans(contents.blob_hashes);
}

Status Tracker::RestoreSession(const StoredContents::SessionContents& stored) {
  SessionState& session = AddSession(stored.session);
  for (const StoredTrial& from : stored.trials) {
    auto owned = std::make_unique<TrialState>();
    TrialState& trial = *owned;
    if (!trial.trial.ParseFromString(from.trial) || trial.id() != from.id) {
      return absl::DataLossError(StrCat("trial ", from.id, " of session ", stored.session.id, " is damaged"));
    }
    trial.session = &session;
    trial.order = ++last_number_;
    trial.lease = from.lease;
    trial.submitted_ms = from.submitted_ms;
    session.trials[from.id] = std::move(owned);
    CountTrial(trial);
    if (!from.result.empty()) {
      trial.result = from.result;
      trial.done_order = ++last_number_;
      session.results[trial.done_order] = &trial;
    } else if (trial.Leased()) {
      // The agent most likely still works on it and will say so when it comes back.
      ++session.running;
      RememberWord(trial);
      DeviceOf(trial.lease.agent_id, stored.session.device_class).leases.push_back(&trial);
      RenewLease(trial);
    } else {
      Enqueue(trial);
    }
  }
  return absl::OkStatus();
}

Status Tracker::DeleteOrphans(const std::vector<std::string>& stored_hashes) {
  TILTH_RETURN_IF_ERROR(store_.Begin());
  for (const std::string& hash : stored_hashes) {
    if (!blob_references_.contains(hash)) Note(store_.DeleteBlob(hash));
  }
  if (failure_.ok()) Note(store_.Commit());
  if (!failure_.ok()) store_.Rollback();
  return failure_;
}

void Tracker::Effects::LetOut(const Status& status) {
  for (std::vector<Effect>* effects : {&early, &durable}) {
    for (Effect& effect : *effects) effect(status);
  }
}

void Tracker::Abandon(const Status& why) {
  for (auto& [agent_id, device] : devices_) {
    if (device->port != nullptr) device->port->Close(why);
  }
  for (auto& [id, session] : sessions_) {
    if (session->waiter) std::exchange(session->waiter, nullptr)(why);
  }
}

void Tracker::Tick() {
  const int64_t now = clock_.NowNs();
  while (!trial_timers_.empty() && trial_timers_.begin()->first <= now) OnTimer(*trial_timers_.begin()->second);
  while (!device_timers_.empty() && device_timers_.begin()->first <= now) EndRest(*device_timers_.begin()->second);
  while (!record_timers_.empty() && record_timers_.begin()->first <= now)
    OnRecordTimer(*record_timers_.begin()->second);
  while (!session_timers_.empty() && session_timers_.begin()->first <= now) OnTimer(*session_timers_.begin()->second);
}

void Tracker::OnTimer(SessionState& session) {
  if (session.waiter) return AnswerWaiter(session);
  LogEvent(LogLevel::kWarning, "session-abandoned")
      .Add("session", session.stored.id)
      .Add("name", session.stored.name)
      .Add("user", session.stored.user);
  Note(store_.DeleteSession(session.stored.id));
  DropSession(session);
}

void Tracker::SetTimer(TrialState& trial) {
  const int64_t at = std::min(trial.lease_expires_ns, trial.phase_deadline_ns);
  if (at == trial.timer_ns) return;
  trial_timers_.erase({trial.timer_ns, &trial});
  trial.timer_ns = at;
  if (at != kNever) trial_timers_.emplace(at, &trial);
}

void Tracker::SetTimer(SessionState& session) {
  session_timers_.erase({session.timer_ns, &session});
  session.timer_ns =
      session.waiter ? session.waiter_deadline_ns : session.last_seen_ns + options_.session_timeout_ms * 1'000'000;
  session_timers_.emplace(session.timer_ns, &session);
}

void Tracker::Stop() {
  stopping_ = true;
  for (auto& [agent_id, device] : devices_) {
    if (device->port != nullptr && device->record_timer_ns != kNever) StoreRecord(*device);
  }
  for (auto& [id, session] : sessions_) AnswerWaiter(*session);
}

}  // namespace tilth
