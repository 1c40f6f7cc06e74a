// The tracker's logic, without the wire: sessions and their trials, leases with fencing tokens, devices. farm.proto
// describes the protocol and the life of a trial; the gRPC services of tracker_server.cc only translate.
//
// A synchronous state machine: no threads, no locks, no clock but the injected one. Its caller (TrackerLoop) opens a
// transaction of the store, makes any number of calls, commits, and hands out the *effects*: what agents and clients
// are told because of these calls. Nothing is promised before it would survive a power cut. If anything failed, the
// effects are told so instead, and the tracker is thrown away and made anew from the store.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "base/clock.h"
#include "base/status.h"
#include "farm/agent_port.h"
#include "farm/store.h"
#include "farm/tracker_observer.h"
#include "farm/tracker_state.h"
#include "proto/farm.pb.h"

namespace tilth {

struct TrackerOptions {
  int64_t lease_ms = 10'000;                 // a lease lives this long past the agent's last sign of life
  int64_t session_timeout_ms = 600'000;      // a client not heard of for this long has gone
  int max_lost_runs = 3;                     // agents lost while running a trial, until it is poison
  int64_t poison_ms = 86'400'000;            // how long an artifact is not handed out after that
  int max_attempts = 6;                      // times a trial is handed out at all
  int64_t transfer_ms = 120'000;             // transfer deadline of trials that have none of their own
  int64_t run_slack_ms = 30'000;             // an agent that is so late with a result is lost
  int64_t max_unfinished_per_user = 50'000;  // trials that are not acknowledged
  double new_trial_seconds = 0.1;            // what a trial is expected to take in a session without results
  int64_t forget_device_ms = 604'800'000;    // offline for so long, and no operator has said anything about it
  bool quarantine = true;                    // devices that are not well get no trials, and their times are not kept
  int max_spoiled = 10;                 // times a trial is measured on devices that are not well, until it is given up
  TrackerObserver* observer = nullptr;  // is told what happens; null: nobody. It must outlive the tracker
};

class Tracker {
 public:
  // Called once, from any thread, with the status of what it is about.
  using Effect = absl::AnyInvocable<void(const Status& status)>;
  struct Effects {
    // At once. What the end of the process may take back without harm: grants, whose results nobody would be waiting
    // for, and results on their way to clients, which would come again.
    std::vector<Effect> early;
    // When it is stored: promises.
    std::vector<Effect> durable;

    void LetOut(const Status& status);
  };
  using ResultsCallback = SessionState::ResultsCallback;

  // Reads the store, outside of a transaction, and goes on where it was left. `store`, whose GetBlob sees the open
  // transaction, and `clock` must outlive the tracker.
  static StatusOr<std::unique_ptr<Tracker>> Create(const TrackerOptions& options, Store& store, const Clock& clock);

  // The first error of the store; then nothing of this batch may be committed.
  const Status& failure() const { return failure_; }
  Effects TakeEffects() { return std::exchange(effects_, {}); }
  void AddEffect(Effect effect) { effects_.durable.push_back(std::move(effect)); }
  // Before it is thrown away: ends all streams and answers all waits with `why`, at once.
  void Abandon(const Status& why);

  // ---- clients (farm.proto, service Farm)
  Status OpenSession(const proto::OpenSessionRequest& request);
  // kPermissionDenied if the session is there and belongs to somebody else. An empty user may do everything.
  Status CheckOwner(const std::string& session_id, const std::string& user);
  // Whether Submit would take it.
  Status CheckSubmission(const proto::SubmitRequest& request);
  // UnpackBlob has accepted the request's blobs.
  StatusOr<int> Submit(const proto::SubmitRequest& request);
  // `callback` is called once, as an effect: of this call if there are results, else of the one that brings them or
  // finds the wait to be over.
  void WaitResults(const proto::WaitResultsRequest& request, ResultsCallback callback);
  StatusOr<int> Cancel(const proto::CancelRequest& request);
  Status CloseSession(const std::string& session_id);

  // ---- operators (service Operations)
  proto::ListDevicesReply ListDevices(const std::string& device_class);
  proto::ListJobsReply ListJobs();
  StatusOr<int> SetDevice(const proto::SetDeviceRequest& request);
  TrackerGauges Gauges() const;

  // ---- agents (service Agents)
  // Sends the welcome and, from then on, grants through `port`. A former port of the same agent is closed.
  Status Attach(const proto::AgentHello& hello, std::shared_ptr<AgentPort> port);
  // `port` is gone. Its leases live on until they expire: the agent may come back with them.
  void Detach(const std::string& agent_id, const AgentPort* port);
  // What came over `port`. Nothing happens if the agent has another port by now.
  void OnMessage(const std::string& agent_id, const AgentPort* port, const proto::AgentMessage& message);
  StatusOr<proto::Blob> GetBlob(const std::string& hash);

  // Expires leases, deadlines, sessions and waits. Call it a few times a second.
  void Tick();
  // Answers every wait, and from now on each at once: the server is about to end.
  void Stop();

 private:
  Tracker(const TrackerOptions& options, Store& store, const Clock& clock);
  Status Restore();
  Status RestoreSession(const StoredContents::SessionContents& stored);
  Status DeleteOrphans(const std::vector<std::string>& stored_hashes);

  // ---- sessions
  SessionState& AddSession(const StoredSession& stored);
  SessionState* FindSession(const std::string& session_id);
  StatusOr<SessionState*> SeeSession(const std::string& session_id);  // of a client that has just called
  void DropSession(SessionState& session);
  void Acknowledge(SessionState& session, const proto::WaitResultsRequest& request);
  void AnswerWaiter(SessionState& session);
  void OnTimer(SessionState& session);
  void SetTimer(SessionState& session);

  // ---- trials
  TrialState* FindTrial(const std::string& session_id, const std::string& trial_id);
  Status CheckTrials(const SessionState& session, const proto::SubmitRequest& request) const;
  void AddTrial(SessionState& session, const proto::Trial& message);
  void ForgetTrial(TrialState* trial);  // also in the store
  void Unlink(TrialState& trial);       // from its session's queue or results, or from its device
  void CountTrial(const TrialState& trial);
  void UncountTrial(const TrialState& trial);
  // Blobs live while a trial, or a session for its baselines, refers to them.
  void RefBlob(const std::string& hash) { ++blob_references_[hash]; }
  void UnrefBlob(const std::string& hash);
  void Finish(TrialState& trial, proto::MeasureResult result);
  void OnTimer(TrialState& trial);
  void SetTimer(TrialState& trial);

  // ---- leases
  // The trial if `lease` is its newest and it is not done; null otherwise.
  TrialState* FindLeased(const std::string& agent_id, const proto::Lease& lease);
  void RenewLease(TrialState& trial);
  // kAgentLost: with the trial. kReturned: by the agent, or it made no progress there. kTakenBack: by the tracker,
  // which is no failure of anybody.
  enum class Loss { kAgentLost, kReturned, kTakenBack };
  // The lease has ended without a result: back to the queue, or done because that has happened too often.
  void LoseLease(TrialState& trial, const std::string& reason, Loss loss);
  // A device whose trials come to nothing, one after another, gets a rest, each time a longer one.
  void Rest(DeviceState& device);
  void EndRest(DeviceState& device);
  void Poison(const std::string& artifact_hash);
  bool IsPoison(const std::string& artifact_hash);
  int64_t RunAllowanceNs(const TrialState& trial) const;
  int64_t TransferAllowanceNs(const TrialState& trial) const;
  void ReleaseFromDevice(TrialState& trial);
  void Revoke(const TrialState& trial);
  // The first of a device's leases that has not begun has its transfer deadline; those behind it wait for it.
  void WatchTransfer(DeviceState& device);

  // ---- devices
  DeviceState* FindDevice(const std::string& agent_id, const AgentPort* port);
  DeviceState& DeviceOf(const std::string& agent_id, const std::string& device_class);
  void ReconcileLeases(DeviceState& device, const proto::AgentHello& hello);
  void OnHeartbeat(DeviceState& device, const proto::Heartbeat& heartbeat);
  void OnMeasured(DeviceState& device, const proto::Lease& lease);
  void OnStarted(DeviceState& device, const proto::Lease& lease);
  void OnFinished(DeviceState& device, const proto::TrialFinished& finished);
  void OnReturned(DeviceState& device, const proto::TrialReturned& returned);
  proto::DeviceState StateOf(const DeviceState& device) const;
  std::string ReasonOf(const DeviceState& device) const;
  // Until all of a session is measured, with the devices that it may use now; 0: unknown.
  double EtaSeconds(const SessionState& session) const;
  void Apply(DeviceState& device, const proto::SetDeviceRequest& request);
  void Send(DeviceState& device, proto::TrackerMessage message);
  void GoOffline(DeviceState& device);
  void CloseStream(DeviceState& device, const Status& why);

  // ---- what is remembered of devices
  void RestoreRecord(const StoredRecord& record);
  void StoreRecord(DeviceState& device);
  // Its counts have changed: they are stored with those of the next seconds.
  void RecordSoon(DeviceState& device);
  void OnRecordTimer(DeviceState& device);
  void ForgetLater(DeviceState& device);
  void SetRecordTimer(DeviceState& device, int64_t at_ns);

  // ---- health
  void OnHealth(DeviceState& device, const proto::DeviceHealth& reading);
  // What the device has not begun goes back to the queue.
  void TakeBackWaiting(DeviceState& device, const std::string& reason);
  // The result says nothing, because the device was not well.
  bool Spoiled(const DeviceState& device, const proto::MeasureResult& result) const;
  void MeasureAgain(TrialState& trial, const proto::MeasureResult& spoiled);
  std::map<const DeviceState*, ClassComparison> CompareClasses() const;

  // ---- dispatch
  ClassState* ClassOf(const std::string& device_class);
  void Enqueue(TrialState& trial);
  void Dequeue(TrialState& trial);
  // Whether it may get trials at all.
  bool Usable(const DeviceState& device) const;
  // Puts the device where Dispatch finds it, or takes it away from there. After every change of what matters for that.
  void UpdateFree(DeviceState& device);
  // Hands queued trials to free devices of the class.
  void Dispatch(ClassState& device_class);
  // A trial for `device`, which is free; or one that has to go where others with its word went, and that device.
  struct Match {
    TrialState* trial = nullptr;
    DeviceState* device = nullptr;
  };
  Match NextMatch(ClassState& device_class, const DeviceGroup& group, DeviceState& device);
  Match FirstFor(SessionState& session, const ClassState& device_class, DeviceState& device);
  // Where the trial's word has gone; null if that may not work, or the trial has no word.
  DeviceState* DeviceOfWord(const TrialState& trial) const;
  void RememberWord(const TrialState& trial);
  void Grant(TrialState& trial, DeviceState& device);
  void AddBlobs(DeviceState& device, const proto::Trial& trial, proto::Grant* grant);

  void Note(const Status& stored) { failure_.Update(stored); }
  uint64_t NextToken() { return (epoch_ << 32) | ++tokens_given_; }

  const TrackerOptions options_;
  Store& store_;
  const Clock& clock_;
  Status failure_;
  Effects effects_;
  bool stopping_ = false;
  uint64_t epoch_ = 0, tokens_given_ = 0;
  uint64_t last_number_ = 0;  // of sessions, of trials and of results: all only compare their own

  absl::flat_hash_map<std::string, std::unique_ptr<SessionState>> sessions_;
  absl::flat_hash_map<uint64_t, SessionState*> sessions_by_number_;
  absl::flat_hash_map<std::string, std::unique_ptr<ClassState>> classes_;
  std::map<std::string, std::unique_ptr<DeviceState>> devices_;  // by agent id
  absl::flat_hash_map<std::string, StoredDevice> settings_;      // by agent id, also of devices not seen yet
  absl::flat_hash_map<std::string, int64_t> blob_references_;
  absl::flat_hash_map<std::string, int64_t> unfinished_of_user_;  // not acknowledged
  absl::flat_hash_map<std::string, int64_t> poison_until_ms_;     // by artifact; wall clock
  std::set<std::pair<int64_t, TrialState*>> trial_timers_;
  std::set<std::pair<int64_t, SessionState*>> session_timers_;
  std::set<std::pair<int64_t, DeviceState*>> device_timers_;  // ends of rests
  std::set<std::pair<int64_t, DeviceState*>> record_timers_;
};

}  // namespace tilth
