// A Store that forgets everything with its process: for simulations and tests of the tracker's logic.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <unordered_map>

#include "farm/store.h"

namespace tilth {

class MemoryStore : public Store {
 public:
  StatusOr<uint64_t> NextEpoch() override { return ++epoch_; }
  StatusOr<StoredContents> Load() override;
  Status Begin() override;
  Status Commit() override;
  void Rollback() override;
  Status PutSession(const StoredSession& session) override;
  Status DeleteSession(const std::string& session_id) override;
  Status AddTrial(const std::string& session_id, const StoredTrial& trial) override;
  Status PutLease(const std::string& session_id, const std::string& trial_id, const StoredLease& lease) override;
  Status PutResult(const std::string& session_id, const std::string& trial_id, std::string_view result) override;
  Status DeleteTrial(const std::string& session_id, const std::string& trial_id) override;
  Status PutBlob(const std::string& hash, std::string_view frame) override;
  StatusOr<std::string> GetBlob(const std::string& hash) override;
  Status DeleteBlob(const std::string& hash) override;
  Status PutDevice(const StoredDevice& device) override;
  Status PutRecord(const StoredRecord& record) override;
  Status DeleteRecord(const std::string& agent_id) override;
  Status PutPoison(const StoredPoison& poison) override;
  Status DeletePoison(const std::string& artifact_hash) override;

 private:
  struct Trial {
    uint64_t number = 0;  // in order of submission
    StoredTrial stored;
  };
  struct Session {
    uint64_t number = 0;  // in order of opening
    StoredSession stored;
    std::unordered_map<std::string, Trial> trials;
  };

  StatusOr<Trial*> Find(const std::string& session_id, const std::string& trial_id);
  // Sets map[key] so that Rollback restores what is there now.
  template <typename Map>
  void Set(Map& map, const typename Map::key_type& key, typename Map::mapped_type value);
  template <typename Map>
  void Erase(Map& map, const typename Map::key_type& key);

  uint64_t epoch_ = 0, last_number_ = 0;
  std::map<std::string, Session> sessions_;
  std::mutex blobs_mutex_;
  std::unordered_map<std::string, std::string> blobs_;
  std::map<std::string, StoredDevice> devices_;
  std::map<std::string, StoredRecord> records_;
  std::map<std::string, StoredPoison> poison_;
  bool in_transaction_ = false;
  std::vector<std::function<void()>> undo_;  // of the open transaction, newest last
};

}  // namespace tilth
