// The tracker's logic, without the wire: sessions and their trials, leases with fencing tokens, devices. farm.proto
// describes the protocol and the life of a trial; the gRPC services of tracker_server.cc only translate.
//
// Thread-safe. Time comes from the injected clock: nothing expires but in Tick(). Everything that must survive a
// SIGKILL is in the Store before a call returns or a message is sent.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "farm/store.h"
#include "proto/farm.pb.h"

namespace tilth {

struct TrackerOptions {
  int64_t lease_ms = 10'000;             // a lease lives this long past the agent's last sign of life
  int64_t session_timeout_ms = 600'000;  // a client not heard of for this long has gone
  int max_lost_runs = 2;                 // agents lost while running a trial, until it is poison
  int max_attempts = 6;                  // times a trial is handed out at all
  std::string enrolment_token;           // agents must show it; empty: anybody may attach
};

// The way to one attached agent. Send may be called from any thread and never blocks; after Close nothing is sent.
class AgentPort {
 public:
  virtual ~AgentPort() = default;
  virtual void Send(const proto::TrackerMessage& message) = 0;
  virtual void Close(const Status& why) = 0;
};

class Tracker {
 public:
  // Reads the store and goes on where it was left. `store` and `clock` must outlive the tracker.
  static StatusOr<std::unique_ptr<Tracker>> Create(const TrackerOptions& options, Store& store, const Clock& clock);

  // ---- clients (farm.proto, service Farm)
  Status OpenSession(const proto::OpenSessionRequest& request);
  Status PutBlob(const std::string& hash, const std::string& data);
  StatusOr<int> Submit(const proto::SubmitRequest& request);
  // Calls `callback` once, from any thread and without a lock held: at once if there are results, else as soon as there
  // are or when the wait is over.
  using ResultsCallback = std::function<void(StatusOr<proto::WaitResultsReply>)>;
  void WaitResults(const proto::WaitResultsRequest& request, ResultsCallback callback);
  StatusOr<int> Cancel(const proto::CancelRequest& request);
  Status CloseSession(const std::string& session_id);

  // ---- operators (service Operations)
  proto::ListDevicesReply ListDevices(const std::string& device_class);
  proto::ListJobsReply ListJobs();
  StatusOr<int> Drain(const std::string& agent_id_or_host, bool resume);

  // ---- agents (service Agents)
  // Sends the welcome and, from then on, grants through `port`. A former port of the same agent is closed.
  Status Attach(const proto::AgentHello& hello, std::shared_ptr<AgentPort> port);
  // `port` is gone. Its leases live on until they expire: the agent may come back with them.
  void Detach(const std::string& agent_id, const AgentPort* port);
  void OnHeartbeat(const std::string& agent_id, const proto::Heartbeat& heartbeat);
  void OnStarted(const std::string& agent_id, const proto::Lease& lease);
  void OnFinished(const std::string& agent_id, const proto::TrialFinished& finished);
  void OnReturned(const std::string& agent_id, const proto::TrialReturned& returned);
  StatusOr<std::string> GetBlob(const std::string& hash);

  // Expires leases, sessions and waits. Call it a few times a second.
  void Tick();
  // Answers every wait, and from now on each at once: the server is about to end.
  void Stop();

 private:
  struct TrialState {
    std::string session_id;
    std::shared_ptr<const proto::Trial> trial;
    StoredLease lease;
    int64_t submitted_ms = 0;  // wall clock
    int64_t granted_ms = 0;    // wall clock
    int64_t lease_deadline_ns = 0;
    bool started = false;
    bool done = false;
    proto::MeasureResult result;  // if done
    bool Leased() const { return !lease.agent_id.empty() && !done; }
  };
  struct Waiter {
    int64_t deadline_ns = 0;
    ResultsCallback callback;
  };
  struct SessionState {
    StoredSession session;
    std::map<std::string, TrialState> trials;
    std::deque<std::string> queue;    // ids to hand out; may name trials that are gone
    std::deque<std::string> results;  // ids that are done and not acknowledged, in order
    int64_t delivered = 0;
    int64_t last_seen_ns = 0;
    std::unique_ptr<Waiter> waiter;
  };
  struct DeviceState {
    proto::AgentHello hello;
    std::shared_ptr<AgentPort> port;  // null: offline
    bool draining = false;
    std::set<std::pair<std::string, std::string>> leases;  // (session, trial)
    int64_t attached_ns = 0;
    int64_t trials_done = 0, trials_failed = 0;
    double busy_seconds = 0, canary_ratio = 0;
  };
  // Callbacks to be called after the lock has been released: declare it before the lock.
  class Deferred {
   public:
    ~Deferred() {
      for (const auto& call : calls_) call();
    }
    void Add(std::function<void()> call) { calls_.push_back(std::move(call)); }

   private:
    std::vector<std::function<void()>> calls_;
  };

  Tracker(const TrackerOptions& options, Store& store, const Clock& clock);
  Status Restore();

  SessionState* FindSession(const std::string& session_id);
  TrialState* FindTrial(const std::string& session_id, const std::string& trial_id);
  // The trial if `lease` is its newest and it is not done; null otherwise.
  TrialState* FindLeased(const std::string& agent_id, const proto::Lease& lease);
  void DropSession(const std::string& session_id, Deferred& deferred);
  void Acknowledge(SessionState& session, const proto::WaitResultsRequest& request);
  void AnswerWaiter(SessionState& session, Deferred& deferred);

  // Takes over the leases that an attaching agent still holds; its others are lost.
  void ReconcileLeases(DeviceState& device, Deferred& deferred);
  // Hands queued trials to free devices of the class.
  void Dispatch(const std::string& device_class);
  bool GrantOne(DeviceState& device);
  // Gives one queued trial to `device`. An error: the store refused, and nothing has changed.
  StatusOr<bool> Grant(DeviceState& device, SessionState& session);
  void RenewLease(TrialState& trial);
  // The lease has ended without a result: back to the queue, or done as poison.
  void LoseLease(TrialState& trial, const std::string& reason, bool agent_lost, Deferred& deferred);
  Status Finish(TrialState& trial, proto::MeasureResult result, Deferred& deferred);
  void ReleaseFromDevice(const TrialState& trial);
  uint64_t NextToken() { return (epoch_ << 32) | ++tokens_given_; }

  const TrackerOptions options_;
  Store& store_;
  const Clock& clock_;
  uint64_t epoch_ = 0, tokens_given_ = 0;

  std::mutex mutex_;
  bool stopping_ = false;
  std::map<std::string, SessionState> sessions_;
  std::map<std::string, DeviceState> devices_;      // by agent id
  std::set<std::string> draining_;                  // agent ids, also of devices not seen yet
  std::map<std::string, std::string> last_served_;  // device class -> session that got the last grant
};

}  // namespace tilth
