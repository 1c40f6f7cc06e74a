// The tracker towards clients: sessions, trials, results, and the blobs that trials need.
#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "farm/event_log.h"
#include "farm/limits.h"
#include "farm/tracker.h"
#include "proto/names.h"

namespace tilth {
namespace {

constexpr int kMaxWaitMs = 60'000;
// Of results in one answer; the others come with the next.
constexpr size_t kMaxReplyBytes = size_t{8} << 20;

}  // namespace

SessionState* Tracker::FindSession(const std::string& session_id) {
  const auto found = sessions_.find(session_id);
  return found == sessions_.end() ? nullptr : found->second.get();
}

StatusOr<SessionState*> Tracker::SeeSession(const std::string& session_id) {
  SessionState* session = FindSession(session_id);
  if (session == nullptr) {
    return absl::NotFoundError(StrCat("the tracker has no session ", Printable(session_id), "; open it (again)"));
  }
  session->last_seen_ns = clock_.NowNs();
  SetTimer(*session);
  return session;
}

TrialState* Tracker::FindTrial(const std::string& session_id, const std::string& trial_id) {
  SessionState* session = FindSession(session_id);
  if (session == nullptr) return nullptr;
  const auto found = session->trials.find(trial_id);
  return found == session->trials.end() ? nullptr : found->second.get();
}

SessionState& Tracker::AddSession(const StoredSession& stored) {
  auto owned = std::make_unique<SessionState>();
  SessionState& session = *owned;
  session.stored = stored;
  session.number = ++last_number_;
  session.trial_seconds = options_.new_trial_seconds;
  session.last_seen_ns = clock_.NowNs();
  sessions_[stored.id] = std::move(owned);
  sessions_by_number_[session.number] = &session;
  SetTimer(session);
  return session;
}

Status Tracker::OpenSession(const proto::OpenSessionRequest& request) {
  TILTH_RETURN_IF_ERROR(CheckOpenSession(request));
  if (const StatusOr<SessionState*> session = SeeSession(request.session_id()); session.ok()) {
    if ((*session)->stored.device_class == request.device_class()) return absl::OkStatus();
    return absl::InvalidArgumentError(StrCat("session ", request.session_id(), " is for device class ",
                                             (*session)->stored.device_class, ", not ", request.device_class()));
  }
  StoredSession stored{.id = request.session_id(),
                       .name = request.name(),
                       .device_class = request.device_class(),
                       .user = request.user(),
                       .device_tags = {request.device_tags().begin(), request.device_tags().end()},
                       .priority = std::clamp(request.priority(), -1'000, 1'000)};
  std::sort(stored.device_tags.begin(), stored.device_tags.end());
  Note(store_.PutSession(stored));
  LogEvent(LogLevel::kInfo, "session-opened")
      .Add("session", stored.id)
      .Add("name", stored.name)
      .Add("user", stored.user)
      .Add("class", stored.device_class);
  AddSession(stored);
  return absl::OkStatus();
}

Status Tracker::CheckOwner(const std::string& session_id, const std::string& user) {
  const SessionState* session = FindSession(session_id);
  if (user.empty() || session == nullptr || session->stored.user == user) return absl::OkStatus();
  return absl::PermissionDeniedError(StrCat("session ", session_id, " is not ", user, "'s; only its owner may use it"));
}

Status Tracker::CheckTrials(const SessionState& session, const proto::SubmitRequest& request) const {
  if (request.trials_size() > kMaxTrialsPerSubmit) {
    return absl::InvalidArgumentError(
        StrCat(request.trials_size(), " trials in one request; at most ", kMaxTrialsPerSubmit, " are allowed"));
  }
  absl::flat_hash_set<std::string_view> sent;
  for (const proto::Blob& blob : request.blobs()) sent.insert(blob.hash());
  int64_t added = 0;
  for (const proto::Trial& trial : request.trials()) {
    TILTH_RETURN_IF_ERROR(CheckTrial(trial));
    if (session.trials.contains(trial.trial_id())) continue;
    ++added;
    for (const std::string& hash : {trial.artifact_hash(), trial.baseline_hash()}) {
      if (sent.contains(hash) || blob_references_.contains(hash)) continue;
      return absl::FailedPreconditionError(
          StrCat("trial ", trial.trial_id(), ": the blob ", hash, " is not here; send it along"));
    }
  }
  const auto count = unfinished_of_user_.find(session.stored.user);
  const int64_t before = count == unfinished_of_user_.end() ? 0 : count->second;
  if (added == 0 || before + added <= options_.max_unfinished_per_user) return absl::OkStatus();
  return absl::ResourceExhaustedError(StrCat("user '", session.stored.user, "' has ", before,
                                             " unfinished trials and may have ", options_.max_unfinished_per_user,
                                             "; collect results, then submit again"));
}

Status Tracker::CheckSubmission(const proto::SubmitRequest& request) {
  TILTH_ASSIGN_OR_RETURN(const SessionState* session, SeeSession(request.session_id()));
  return CheckTrials(*session, request);
}

StatusOr<int> Tracker::Submit(const proto::SubmitRequest& request) {
  TILTH_ASSIGN_OR_RETURN(SessionState * session, SeeSession(request.session_id()));
  TILTH_RETURN_IF_ERROR(CheckTrials(*session, request));
  absl::flat_hash_map<std::string_view, const proto::Blob*> sent;
  for (const proto::Blob& blob : request.blobs()) sent[blob.hash()] = &blob;
  int accepted = 0;
  for (const proto::Trial& trial : request.trials()) {
    if (session->trials.contains(trial.trial_id())) continue;
    for (const std::string& hash : {trial.artifact_hash(), trial.baseline_hash()}) {
      if (!blob_references_.contains(hash)) Note(store_.PutBlob(hash, sent.at(hash)->data()));
      RefBlob(hash);
    }
    AddTrial(*session, trial);
    // The trial has a reference of its own by now, so the blob does not go in between.
    for (const std::string& hash : {trial.artifact_hash(), trial.baseline_hash()}) UnrefBlob(hash);
    ++accepted;
  }
  if (options_.observer != nullptr) {
    int64_t blob_bytes = 0;
    for (const proto::Blob& blob : request.blobs()) blob_bytes += static_cast<int64_t>(blob.data().size());
    options_.observer->OnSubmitted(session->stored.device_class, accepted, blob_bytes);
  }
  Dispatch(*ClassOf(session->stored.device_class));
  return accepted;
}

void Tracker::AddTrial(SessionState& session, const proto::Trial& message) {
  auto owned = std::make_unique<TrialState>();
  TrialState& trial = *owned;
  trial.session = &session;
  trial.trial = message;
  ClampDeadlines(&trial.trial);
  trial.order = ++last_number_;
  trial.submitted_ms = clock_.WallMs();
  Note(store_.AddTrial(
      session.stored.id,
      {.id = trial.id(), .trial = trial.trial.SerializeAsString(), .submitted_ms = trial.submitted_ms}));
  session.trials[trial.id()] = std::move(owned);
  CountTrial(trial);
  if (!IsPoison(trial.trial.artifact_hash())) return Enqueue(trial);
  proto::MeasureResult result;
  result.set_error(proto::MEASURE_ERROR_RUN_CRASH);
  result.set_detail(StrCat("not run: its artifact ", trial.trial.artifact_hash(),
                           " took agents down with it not long ago, and is on the poison list"));
  Finish(trial, std::move(result));
}

void Tracker::CountTrial(const TrialState& trial) {
  RefBlob(trial.trial.artifact_hash());
  RefBlob(trial.trial.baseline_hash());
  SessionState& session = *trial.session;
  if (session.baselines.insert(trial.trial.baseline_hash()).second) RefBlob(trial.trial.baseline_hash());
  ++unfinished_of_user_[session.stored.user];
}

void Tracker::UncountTrial(const TrialState& trial) {
  UnrefBlob(trial.trial.artifact_hash());
  UnrefBlob(trial.trial.baseline_hash());
  const auto count = unfinished_of_user_.find(trial.session->stored.user);
  if (--count->second == 0) unfinished_of_user_.erase(count);
}

void Tracker::UnrefBlob(const std::string& hash) {
  const auto references = blob_references_.find(hash);
  if (--references->second > 0) return;
  blob_references_.erase(references);
  Note(store_.DeleteBlob(hash));
}

void Tracker::WaitResults(const proto::WaitResultsRequest& request, ResultsCallback callback) {
  const StatusOr<SessionState*> found = SeeSession(request.session_id());
  if (!found.ok()) {
    return effects_.early.push_back([callback = std::move(callback), refused = found.status()](const Status& status) {
      callback(status.ok() ? refused : status);
    });
  }
  SessionState& session = **found;
  Acknowledge(session, request);
  // One wait at a time: an older one belongs to a connection that broke.
  AnswerWaiter(session);
  const int64_t wait_ms = std::clamp(request.wait_ms(), 0, kMaxWaitMs);
  session.waiter = std::move(callback);
  session.waiter_deadline_ns = clock_.NowNs() + wait_ms * 1'000'000;
  SetTimer(session);
  if (!session.results.empty() || wait_ms == 0 || stopping_) AnswerWaiter(session);
}

void Tracker::Acknowledge(SessionState& session, const proto::WaitResultsRequest& request) {
  for (const std::string& id : request.acknowledged_trial_ids()) {
    const auto found = session.trials.find(id);
    if (found == session.trials.end() || !found->second->Done()) continue;
    ++session.delivered;
    ForgetTrial(found->second.get());
  }
}

void Tracker::AnswerWaiter(SessionState& session) {
  if (!session.waiter) return;
  proto::WaitResultsReply reply;
  size_t bytes = 0;
  for (const auto& [order, trial] : session.results) {
    bytes += trial->result.size();
    if (reply.results_size() > 0 && bytes > kMaxReplyBytes) break;
    // What we have serialised ourselves parses.
    TILTH_CHECK(reply.add_results()->ParseFromString(trial->result));
  }
  session.last_seen_ns = clock_.NowNs();
  effects_.early.push_back(
      [callback = std::exchange(session.waiter, nullptr), reply = std::move(reply)](const Status& status) {
        callback(status.ok() ? StatusOr<proto::WaitResultsReply>(reply) : status);
      });
  SetTimer(session);
}

StatusOr<int> Tracker::Cancel(const proto::CancelRequest& request) {
  TILTH_ASSIGN_OR_RETURN(SessionState * session, SeeSession(request.session_id()));
  std::vector<TrialState*> cancelled;
  if (request.trial_ids().empty()) {
    for (const auto& [id, trial] : session->trials) cancelled.push_back(trial.get());
  }
  const std::set<std::string> ids(request.trial_ids().begin(), request.trial_ids().end());
  for (const std::string& id : ids) {
    if (TrialState* trial = FindTrial(request.session_id(), id)) cancelled.push_back(trial);
  }
  std::erase_if(cancelled, [](const TrialState* trial) { return trial->Done(); });
  for (TrialState* trial : cancelled) ForgetTrial(trial);
  Dispatch(*ClassOf(session->stored.device_class));
  return static_cast<int>(cancelled.size());
}

void Tracker::ForgetTrial(TrialState* trial) {
  SessionState& session = *trial->session;
  Note(store_.DeleteTrial(session.stored.id, trial->id()));
  if (trial->Leased()) Revoke(*trial);
  Unlink(*trial);
  UncountTrial(*trial);
  session.trials.erase(trial->id());
}

void Tracker::Unlink(TrialState& trial) {
  SessionState& session = *trial.session;
  if (trial.Done()) {
    session.results.erase(trial.done_order);
  } else if (trial.Leased()) {
    --session.running;
    ReleaseFromDevice(trial);
  } else {
    Dequeue(trial);
  }
  trial.lease_expires_ns = trial.phase_deadline_ns = kNever;
  SetTimer(trial);
}

Status Tracker::CloseSession(const std::string& session_id) {
  SessionState* session = FindSession(session_id);
  if (session == nullptr) return absl::OkStatus();
  Note(store_.DeleteSession(session_id));
  LogEvent(LogLevel::kInfo, "session-closed").Add("session", session_id).Add("delivered", session->delivered);
  DropSession(*session);
  return absl::OkStatus();
}

void Tracker::DropSession(SessionState& session) {
  AnswerWaiter(session);
  for (const auto& [id, trial] : session.trials) {
    if (trial->Leased()) Revoke(*trial);
    Unlink(*trial);
    UncountTrial(*trial);
  }
  for (const std::string& baseline : session.baselines) UnrefBlob(baseline);
  session_timers_.erase({session.timer_ns, &session});
  sessions_by_number_.erase(session.number);
  ClassState* device_class = ClassOf(session.stored.device_class);
  sessions_.erase(session.stored.id);
  Dispatch(*device_class);
}

}  // namespace tilth
