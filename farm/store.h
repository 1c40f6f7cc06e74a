// The tracker's durable state: sessions, their trials, leases and results, and blobs. Everything that must survive a
// SIGKILL goes through here before anybody is told that it happened.
//
// Implementations: MemoryStore (tests, simulations) and SqliteStore (one file). All pass the same conformance test,
// tests/farm/store_test.cc. Not thread-safe: the tracker calls under its own lock. Every change is durable when the
// call returns OK, and has not happened when it returns an error.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace tilth {

struct StoredSession {
  std::string id, name, device_class;
};

struct StoredLease {
  uint64_t token = 0;    // 0: never leased
  std::string agent_id;  // empty: not leased now
  int attempts = 0;      // times handed out
  int lost_runs = 0;     // times an agent was lost after it had started it
};

struct StoredTrial {
  std::string id;
  std::string trial;         // serialised proto::Trial
  int64_t submitted_ms = 0;  // wall clock
  StoredLease lease;
  std::string result;  // serialised proto::MeasureResult; empty: none yet
};

struct StoredContents {
  struct SessionContents {
    StoredSession session;
    std::vector<StoredTrial> trials;  // in order of submission
  };
  std::vector<SessionContents> sessions;
  std::vector<std::string> draining_agents;
};

class Store {
 public:
  virtual ~Store() = default;

  // A number that is larger at every call, over restarts.
  virtual StatusOr<uint64_t> NextEpoch() = 0;
  virtual StatusOr<StoredContents> Load() = 0;

  virtual Status PutSession(const StoredSession& session) = 0;
  // With its trials; OK if it is not there.
  virtual Status DeleteSession(const std::string& session_id) = 0;

  // All or none. Ids must be new to the session.
  virtual Status AddTrials(const std::string& session_id, const std::vector<StoredTrial>& trials) = 0;
  virtual Status PutLease(const std::string& session_id, const std::string& trial_id, const StoredLease& lease) = 0;
  virtual Status PutResult(const std::string& session_id, const std::string& trial_id, std::string_view result) = 0;
  virtual Status DeleteTrials(const std::string& session_id, const std::vector<std::string>& trial_ids) = 0;

  virtual Status PutBlob(const std::string& hash, std::string_view bytes) = 0;
  virtual StatusOr<std::string> GetBlob(const std::string& hash) = 0;  // kNotFound
  virtual StatusOr<bool> HasBlob(const std::string& hash) = 0;
  virtual Status DeleteAllBlobs() = 0;

  virtual Status SetDraining(const std::string& agent_id, bool draining) = 0;
};

}  // namespace tilth
