// The tracker's durable state: sessions, their trials, leases and results, blobs, and what operators said about
// devices. Everything that is promised goes through here before.
//
// Changes are made between Begin and Commit. Together they survive a power cut when Commit returns OK. After an error
// of any call in between, or of Commit, there is only Rollback: then none of them has happened.
//
// Implementations: MemoryStore (tests, simulations) and SqliteStore (one file), which pass the same conformance suite,
// tests/farm/store_conformance.h; and WriteBehindStore, which stands before one of them so that nobody waits for it.
// Not thread-safe, but for GetBlob.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace tilth {

struct StoredSession {
  std::string id, name, device_class;
  std::string user;
  std::vector<std::string> device_tags;
  int priority = 0;
};

struct StoredLease {
  uint64_t token = 0;    // 0: never leased
  std::string agent_id;  // empty: not leased now
  int attempts = 0;      // times handed out
  int lost_runs = 0;     // times an agent was lost after it had started it
  int spoiled = 0;       // times it was measured on a device that was not well
};

struct StoredTrial {
  std::string id;
  std::string trial;         // serialised proto::Trial
  int64_t submitted_ms = 0;  // wall clock
  StoredLease lease;
  std::string result;  // serialised proto::MeasureResult; empty: none yet
};

// What an operator said about a device.
struct StoredDevice {
  enum class Mode : int { kOpen = 0, kDraining = 1, kCordoned = 2 };
  std::string agent_id;
  Mode mode = Mode::kOpen;
  std::string reserved_for;  // a user; empty: everybody
};

// What a device is and has done, so that both are known while it is away and after a restart.
struct StoredRecord {
  std::string agent_id;
  std::string hello;             // serialised proto::AgentHello, without its leases
  int64_t offline_since_ms = 0;  // wall clock; 0: it is attached
  int64_t trials_done = 0, trials_failed = 0, trials_spoiled = 0;
};

// An artifact that took agents down with it, and is not handed out any more until then.
struct StoredPoison {
  std::string artifact_hash;
  int64_t until_ms = 0;  // wall clock
};

struct StoredContents {
  struct SessionContents {
    StoredSession session;
    std::vector<StoredTrial> trials;  // in order of submission
  };
  std::vector<SessionContents> sessions;  // in order of opening
  std::vector<StoredDevice> devices;
  std::vector<StoredRecord> records;  // of devices, by agent id
  std::vector<std::string> blob_hashes;
  std::vector<StoredPoison> poison;
};

class Store {
 public:
  virtual ~Store() = default;

  // A number that is larger at every call, over restarts. Durable by itself: call it outside of a transaction.
  virtual StatusOr<uint64_t> NextEpoch() = 0;
  virtual StatusOr<StoredContents> Load() = 0;

  virtual Status Begin() = 0;
  virtual Status Commit() = 0;
  virtual void Rollback() = 0;  // also if no transaction is open

  // Adds it, or changes what was stored under its id; its trials stay.
  virtual Status PutSession(const StoredSession& session) = 0;
  // With its trials; OK if it is not there.
  virtual Status DeleteSession(const std::string& session_id) = 0;

  // kNotFound: no such session. kAlreadyExists: the session has a trial of this id.
  virtual Status AddTrial(const std::string& session_id, const StoredTrial& trial) = 0;
  // kNotFound: no such trial.
  virtual Status PutLease(const std::string& session_id, const std::string& trial_id, const StoredLease& lease) = 0;
  virtual Status PutResult(const std::string& session_id, const std::string& trial_id, std::string_view result) = 0;
  // OK if it is not there.
  virtual Status DeleteTrial(const std::string& session_id, const std::string& trial_id) = 0;

  // A blob's frame, as it came. Storing one again changes nothing.
  virtual Status PutBlob(const std::string& hash, std::string_view frame) = 0;
  // From any thread, beside other calls. kNotFound: there is none. What the open transaction stores may be missing.
  virtual StatusOr<std::string> GetBlob(const std::string& hash) = 0;
  virtual Status DeleteBlob(const std::string& hash) = 0;  // OK if it is not there

  // A device that is open and reserved for nobody is forgotten.
  virtual Status PutDevice(const StoredDevice& device) = 0;

  // Replaces what was stored under its agent id.
  virtual Status PutRecord(const StoredRecord& record) = 0;
  virtual Status DeleteRecord(const std::string& agent_id) = 0;  // OK if it is not there

  // Replaces what was stored under its hash.
  virtual Status PutPoison(const StoredPoison& poison) = 0;
  virtual Status DeletePoison(const std::string& artifact_hash) = 0;  // OK if it is not there
};

// What everybody hears who needed a store that has failed.
inline Status StoreFailure(const Status& why) {
  return absl::UnavailableError(
      StrCat("the tracker's state cannot be stored; it goes on by itself as soon as it can: ", why.message()));
}

}  // namespace tilth
