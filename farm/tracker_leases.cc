// Leases and what ends them: results, losses, deadlines; devices that fail at everything, and artifacts that take
// devices down with them.
#include <algorithm>
#include <utility>

#include "farm/event_log.h"
#include "farm/tracker.h"

namespace tilth {
namespace {

// A trial's run deadline is that of one child; this many at most run for it: the baseline, and the candidate again
// where its time or the device was in doubt, each again if somebody killed it.
constexpr int kRunsPerTrial = 8;
constexpr int64_t kDefaultRunDeadlineMs = 10'000;
constexpr int64_t kFirstRestNs = 1'000'000'000, kLongestRestNs = 60'000'000'000;
constexpr int kMaxDoublings = 6;

}  // namespace

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

int64_t Tracker::RunAllowanceNs(const TrialState& trial) const {
  const int64_t own_ms = trial.trial.run_deadline_ms();
  return (kRunsPerTrial * (own_ms > 0 ? own_ms : kDefaultRunDeadlineMs) + options_.run_slack_ms) * 1'000'000;
}

int64_t Tracker::TransferAllowanceNs(const TrialState& trial) const {
  const int64_t own_ms = trial.trial.transfer_deadline_ms();
  return (own_ms > 0 ? own_ms : options_.transfer_ms) * 1'000'000;
}

void Tracker::WatchTransfer(DeviceState& device) {
  const auto running = std::find_if(device.leases.begin(), device.leases.end(),
                                    [](const TrialState* trial) { return !trial->measured; });
  if (running == device.leases.end()) return;
  TrialState& first = **running;
  if (first.started || first.phase_deadline_ns != kNever) return;
  first.phase_deadline_ns = clock_.NowNs() + TransferAllowanceNs(first);
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

void Tracker::Rest(DeviceState& device) {
  // One failure may be the trial's, or the network's.
  if (++device.failures_in_row < 2) return;
  const int doublings = std::min(device.failures_in_row - 2, kMaxDoublings);
  device_timers_.erase({device.rests_until_ns, &device});
  device.rests_until_ns = clock_.NowNs() + std::min(kFirstRestNs << doublings, kLongestRestNs);
  device_timers_.emplace(device.rests_until_ns, &device);
  UpdateFree(device);
}

void Tracker::EndRest(DeviceState& device) {
  device_timers_.erase({device.rests_until_ns, &device});
  device.rests_until_ns = 0;
  UpdateFree(device);
  Dispatch(*device.device_class);
}

void Tracker::Poison(const std::string& artifact_hash) {
  poison_until_ms_[artifact_hash] = clock_.WallMs() + options_.poison_ms;
  Note(store_.PutPoison({artifact_hash, poison_until_ms_[artifact_hash]}));
  LogEvent(LogLevel::kWarning, "artifact-poisoned").Add("artifact", artifact_hash);
}

bool Tracker::IsPoison(const std::string& artifact_hash) {
  const auto found = poison_until_ms_.find(artifact_hash);
  if (found == poison_until_ms_.end()) return false;
  if (clock_.WallMs() < found->second) return true;
  Note(store_.DeletePoison(artifact_hash));
  poison_until_ms_.erase(found);
  return false;
}

void Tracker::LoseLease(TrialState& trial, const std::string& reason, Loss loss) {
  LogEvent(loss == Loss::kTakenBack ? LogLevel::kInfo : LogLevel::kWarning, "trial-lost")
      .Add("trial", trial.id())
      .Add("session", trial.session->stored.id)
      .Add("agent", trial.lease.agent_id)
      .Add("attempt", trial.lease.attempts)
      .Add("why", reason);
  if (options_.observer != nullptr) {
    options_.observer->OnLeaseLost(trial.session->stored.device_class,
                                   loss == Loss::kReturned ? "it was given back" : reason);
  }
  StoredLease lease = trial.lease;
  lease.agent_id.clear();
  lease.lost_runs += loss == Loss::kAgentLost && trial.started ? 1 : 0;
  lease.attempts -= loss == Loss::kTakenBack ? 1 : 0;
  proto::MeasureResult result;
  if (const auto device = devices_.find(trial.lease.agent_id); device != devices_.end() && loss == Loss::kReturned) {
    Rest(*device->second);
  }
  if (lease.lost_runs >= options_.max_lost_runs) {
    Poison(trial.trial.artifact_hash());
    result.set_error(proto::MEASURE_ERROR_RUN_CRASH);
    result.set_detail(
        StrCat(lease.lost_runs, " agents were lost while they ran it; the last was ", trial.lease.agent_id));
    return Finish(trial, std::move(result));
  }
  if (lease.attempts >= options_.max_attempts && loss != Loss::kTakenBack) {
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
  result.set_note(trial.trial.note());
  Unlink(trial);
  trial.result = result.SerializeAsString();
  trial.done_order = ++last_number_;
  Note(store_.PutResult(trial.session->stored.id, trial.id(), trial.result));
  trial.session->results[trial.done_order] = &trial;
  if (options_.observer != nullptr) options_.observer->OnFinished(trial.session->stored.device_class, result);
  AnswerWaiter(*trial.session);
}

}  // namespace tilth
