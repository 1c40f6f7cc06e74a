#include "farm/memory_store.h"

#include <algorithm>

namespace tilth {

StatusOr<StoredContents> MemoryStore::Load() {
  StoredContents contents;
  for (const auto& [id, session] : sessions_) contents.sessions.push_back(session);
  contents.draining_agents.assign(draining_.begin(), draining_.end());
  return contents;
}

Status MemoryStore::PutSession(const StoredSession& session) {
  sessions_[session.id].session = session;
  return absl::OkStatus();
}

Status MemoryStore::DeleteSession(const std::string& session_id) {
  sessions_.erase(session_id);
  return absl::OkStatus();
}

Status MemoryStore::AddTrials(const std::string& session_id, const std::vector<StoredTrial>& trials) {
  auto session = sessions_.find(session_id);
  if (session == sessions_.end()) return absl::NotFoundError(StrCat("no session ", session_id));
  for (const StoredTrial& trial : trials) {
    if (Find(session_id, trial.id).ok()) return absl::AlreadyExistsError(StrCat("trial ", trial.id));
  }
  session->second.trials.insert(session->second.trials.end(), trials.begin(), trials.end());
  return absl::OkStatus();
}

Status MemoryStore::PutLease(const std::string& session_id, const std::string& trial_id, const StoredLease& lease) {
  TILTH_ASSIGN_OR_RETURN(StoredTrial * trial, Find(session_id, trial_id));
  trial->lease = lease;
  return absl::OkStatus();
}

Status MemoryStore::PutResult(const std::string& session_id, const std::string& trial_id, std::string_view result) {
  TILTH_ASSIGN_OR_RETURN(StoredTrial * trial, Find(session_id, trial_id));
  trial->result = std::string(result);
  return absl::OkStatus();
}

Status MemoryStore::DeleteTrials(const std::string& session_id, const std::vector<std::string>& trial_ids) {
  auto session = sessions_.find(session_id);
  if (session == sessions_.end()) return absl::OkStatus();
  std::erase_if(session->second.trials, [&](const StoredTrial& trial) {
    return std::find(trial_ids.begin(), trial_ids.end(), trial.id) != trial_ids.end();
  });
  return absl::OkStatus();
}

Status MemoryStore::PutBlob(const std::string& hash, std::string_view bytes) {
  blobs_[hash] = std::string(bytes);
  return absl::OkStatus();
}

StatusOr<std::string> MemoryStore::GetBlob(const std::string& hash) {
  auto found = blobs_.find(hash);
  if (found == blobs_.end()) return absl::NotFoundError(StrCat("no blob ", hash));
  return found->second;
}

Status MemoryStore::DeleteAllBlobs() {
  blobs_.clear();
  return absl::OkStatus();
}

Status MemoryStore::SetDraining(const std::string& agent_id, bool draining) {
  if (draining) {
    draining_.insert(agent_id);
  } else {
    draining_.erase(agent_id);
  }
  return absl::OkStatus();
}

StatusOr<StoredTrial*> MemoryStore::Find(const std::string& session_id, const std::string& trial_id) {
  auto session = sessions_.find(session_id);
  if (session == sessions_.end()) return absl::NotFoundError(StrCat("no session ", session_id));
  for (StoredTrial& trial : session->second.trials) {
    if (trial.id == trial_id) return &trial;
  }
  return absl::NotFoundError(StrCat("no trial ", trial_id));
}

}  // namespace tilth
