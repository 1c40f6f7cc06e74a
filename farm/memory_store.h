// A Store that forgets everything with its process: for simulations and tests of the tracker's logic.
#pragma once

#include <map>
#include <set>

#include "farm/store.h"

namespace tilth {

class MemoryStore : public Store {
 public:
  StatusOr<uint64_t> NextEpoch() override { return ++epoch_; }
  StatusOr<StoredContents> Load() override;
  Status PutSession(const StoredSession& session) override;
  Status DeleteSession(const std::string& session_id) override;
  Status AddTrials(const std::string& session_id, const std::vector<StoredTrial>& trials) override;
  Status PutLease(const std::string& session_id, const std::string& trial_id, const StoredLease& lease) override;
  Status PutResult(const std::string& session_id, const std::string& trial_id, std::string_view result) override;
  Status DeleteTrials(const std::string& session_id, const std::vector<std::string>& trial_ids) override;
  Status PutBlob(const std::string& hash, std::string_view bytes) override;
  StatusOr<std::string> GetBlob(const std::string& hash) override;
  StatusOr<bool> HasBlob(const std::string& hash) override { return blobs_.count(hash) > 0; }
  Status DeleteAllBlobs() override;
  Status SetDraining(const std::string& agent_id, bool draining) override;

 private:
  StatusOr<StoredTrial*> Find(const std::string& session_id, const std::string& trial_id);

  uint64_t epoch_ = 0;
  std::map<std::string, StoredContents::SessionContents> sessions_;
  std::map<std::string, std::string> blobs_;
  std::set<std::string> draining_;
};

}  // namespace tilth
