// What the tracker keeps in memory, all of it made anew from the store when it starts. Internal to farm/tracker*.cc.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "farm/agent_port.h"
#include "farm/device_health.h"
#include "farm/fair_queue.h"
#include "farm/store.h"
#include "proto/farm.pb.h"

namespace tilth {

struct SessionState;
struct DeviceState;

inline constexpr int64_t kNever = INT64_MAX;

struct TrialState {
  SessionState* session = nullptr;
  proto::Trial trial;
  uint64_t order = 0;  // of submission, over all sessions
  StoredLease lease;
  int64_t submitted_ms = 0;            // wall clock
  int64_t lease_expires_ns = kNever;   // while leased
  int64_t phase_deadline_ns = kNever;  // of the queue, the transfer or the run, whichever it is in
  int64_t timer_ns = kNever;           // where it stands in the tracker's timers
  bool started = false;
  bool measured = false;      // its result waits on the device for a reading of health
  std::string avoided_agent;  // lost it last: another one gets it, if there is one
  uint64_t done_order = 0;    // 0: not done
  std::string result;         // serialised, once done

  bool Done() const { return done_order > 0; }
  bool Leased() const { return !lease.agent_id.empty() && !Done(); }
  const std::string& id() const { return trial.trial_id(); }
};

// Orders trials by submission.
struct BySubmission {
  bool operator()(const TrialState* a, const TrialState* b) const { return a->order < b->order; }
};

struct SessionState {
  using ResultsCallback = std::function<void(StatusOr<proto::WaitResultsReply>)>;

  StoredSession stored;
  uint64_t number = 0;  // in order of opening
  absl::flat_hash_map<std::string, std::unique_ptr<TrialState>> trials;
  std::set<TrialState*, BySubmission> queue;                     // to hand out; what came back goes first, being older
  std::map<uint64_t, TrialState*> results;                       // by done_order: done and not acknowledged
  absl::flat_hash_map<std::string, std::string> device_of_word;  // Trial.together: where such a trial went last
  std::set<std::string> baselines;  // kept until the session ends: its next trials need them again
  int64_t running = 0;
  int64_t delivered = 0;
  double trial_seconds = 0;  // what its trials have taken, a moving average
  bool trial_seconds_known = false;
  int64_t last_seen_ns = 0;
  ResultsCallback waiter;  // null: nobody waits
  int64_t waiter_deadline_ns = kNever;
  int64_t timer_ns = kNever;
};

// Devices of a class that may get the same sessions' trials.
struct DeviceGroup {
  std::vector<std::string> tags;  // sorted
  std::string reserved_for;
  int usable = 0;  // attached and allowed to get trials
  // Usable and with a slot left, by (leases, turn): idle ones first, and of these who has waited longest.
  std::map<std::pair<size_t, uint64_t>, DeviceState*> free;
};

struct ClassState {
  FairQueue queue;
  std::map<std::pair<std::vector<std::string>, std::string>, DeviceGroup> groups;  // by tags and reservation
};

struct DeviceState {
  std::string agent_id;
  proto::AgentHello hello;          // without its leases; its health is the last reported
  std::vector<std::string> tags;    // sorted
  std::shared_ptr<AgentPort> port;  // null: offline
  StoredDevice settings;
  size_t slots = 1;
  std::vector<TrialState*> leases;   // in the order in which it works them off
  size_t measured = 0;               // of the leases, which need no slot
  std::vector<uint64_t> sent_blobs;  // shortened hashes of what it has been sent, the last used at the end
  ClassState* device_class = nullptr;
  DeviceGroup* group = nullptr;                         // while it is usable
  uint64_t turn = 0;                                    // grows with every grant; no two devices have the same
  std::optional<std::pair<size_t, uint64_t>> free_key;  // its place in group->free, if it is there
  int64_t attached_ns = 0;
  int failures_in_row = 0;                                         // trials that came to nothing because of it
  int64_t rests_until_ns = 0;                                      // 0: it does not
  int64_t trials_done = 0, trials_failed = 0, trials_spoiled = 0;  // since it joined, over restarts
  double busy_seconds = 0;                                         // since it attached
  int64_t offline_since_ms = 0;                                    // wall clock; while port is null
  int64_t record_timer_ns = kNever;  // when its counts are to be stored, or it is to be forgotten
  DeviceHealthState health;

  size_t occupied() const { return leases.size() - measured; }
};

// Whether devices of the group may get the session's trials.
bool Fits(const SessionState& session, const DeviceGroup& group);

}  // namespace tilth
