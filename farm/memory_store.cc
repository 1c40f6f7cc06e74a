#include "farm/memory_store.h"

#include <algorithm>

namespace tilth {

template <typename Map>
void MemoryStore::Set(Map& map, const typename Map::key_type& key, typename Map::mapped_type value) {
  const auto found = map.find(key);
  if (found == map.end()) {
    map.emplace(key, std::move(value));
    undo_.push_back([&map, key] { map.erase(key); });
    return;
  }
  std::swap(found->second, value);
  undo_.push_back([&map, key, old = std::move(value)] { map[key] = old; });
}

template <typename Map>
void MemoryStore::Erase(Map& map, const typename Map::key_type& key) {
  const auto found = map.find(key);
  if (found == map.end()) return;
  undo_.push_back([&map, key, old = std::move(found->second)] { map.emplace(key, old); });
  map.erase(key);
}

StatusOr<StoredContents> MemoryStore::Load() {
  StoredContents contents;
  std::vector<const Session*> sessions;
  for (const auto& [id, session] : sessions_) sessions.push_back(&session);
  std::sort(sessions.begin(), sessions.end(), [](const Session* a, const Session* b) { return a->number < b->number; });
  for (const Session* session : sessions) {
    std::vector<const Trial*> trials;
    for (const auto& [id, trial] : session->trials) trials.push_back(&trial);
    std::sort(trials.begin(), trials.end(), [](const Trial* a, const Trial* b) { return a->number < b->number; });
    StoredContents::SessionContents& added = contents.sessions.emplace_back();
    added.session = session->stored;
    for (const Trial* trial : trials) added.trials.push_back(trial->stored);
  }
  for (const auto& [id, device] : devices_) contents.devices.push_back(device);
  for (const auto& [id, record] : records_) contents.records.push_back(record);
  for (const auto& [hash, frame] : blobs_) contents.blob_hashes.push_back(hash);
  for (const auto& [hash, poison] : poison_) contents.poison.push_back(poison);
  return contents;
}

Status MemoryStore::Begin() {
  if (in_transaction_) return absl::FailedPreconditionError("a transaction is open already");
  in_transaction_ = true;
  undo_.clear();
  return absl::OkStatus();
}

Status MemoryStore::Commit() {
  in_transaction_ = false;
  undo_.clear();
  return absl::OkStatus();
}

void MemoryStore::Rollback() {
  std::lock_guard lock(blobs_mutex_);
  for (; !undo_.empty(); undo_.pop_back()) undo_.back()();
  in_transaction_ = false;
}

Status MemoryStore::PutSession(const StoredSession& session) {
  const auto found = sessions_.find(session.id);
  if (found == sessions_.end()) {
    Set(sessions_, session.id, {.number = ++last_number_, .stored = session});
  } else {
    undo_.push_back([this, old = found->second.stored] { sessions_.at(old.id).stored = old; });
    found->second.stored = session;
  }
  return absl::OkStatus();
}

Status MemoryStore::DeleteSession(const std::string& session_id) {
  Erase(sessions_, session_id);
  return absl::OkStatus();
}

Status MemoryStore::AddTrial(const std::string& session_id, const StoredTrial& trial) {
  const auto session = sessions_.find(session_id);
  if (session == sessions_.end()) return absl::NotFoundError(StrCat("no session ", session_id));
  if (!session->second.trials.emplace(trial.id, Trial{++last_number_, trial}).second) {
    return absl::AlreadyExistsError(StrCat("trial ", trial.id));
  }
  undo_.push_back([this, session_id, id = trial.id] { sessions_.at(session_id).trials.erase(id); });
  return absl::OkStatus();
}

Status MemoryStore::PutLease(const std::string& session_id, const std::string& trial_id, const StoredLease& lease) {
  TILTH_ASSIGN_OR_RETURN(Trial * trial, Find(session_id, trial_id));
  undo_.push_back([this, session_id, trial_id, old = trial->stored.lease] {
    sessions_.at(session_id).trials.at(trial_id).stored.lease = old;
  });
  trial->stored.lease = lease;
  return absl::OkStatus();
}

Status MemoryStore::PutResult(const std::string& session_id, const std::string& trial_id, std::string_view result) {
  TILTH_ASSIGN_OR_RETURN(Trial * trial, Find(session_id, trial_id));
  undo_.push_back([this, session_id, trial_id, old = trial->stored.result] {
    sessions_.at(session_id).trials.at(trial_id).stored.result = old;
  });
  trial->stored.result = std::string(result);
  return absl::OkStatus();
}

Status MemoryStore::DeleteTrial(const std::string& session_id, const std::string& trial_id) {
  const StatusOr<Trial*> found = Find(session_id, trial_id);
  if (!found.ok()) return absl::OkStatus();
  undo_.push_back(
      [this, session_id, old = std::move(**found)] { sessions_.at(session_id).trials.emplace(old.stored.id, old); });
  sessions_.at(session_id).trials.erase(trial_id);
  return absl::OkStatus();
}

Status MemoryStore::PutBlob(const std::string& hash, std::string_view frame) {
  std::lock_guard lock(blobs_mutex_);
  if (blobs_.count(hash) == 0) Set(blobs_, hash, std::string(frame));
  return absl::OkStatus();
}

StatusOr<std::string> MemoryStore::GetBlob(const std::string& hash) {
  std::lock_guard lock(blobs_mutex_);
  const auto found = blobs_.find(hash);
  if (found == blobs_.end()) return absl::NotFoundError(StrCat("no blob ", hash));
  return found->second;
}

Status MemoryStore::DeleteBlob(const std::string& hash) {
  std::lock_guard lock(blobs_mutex_);
  Erase(blobs_, hash);
  return absl::OkStatus();
}

Status MemoryStore::PutDevice(const StoredDevice& device) {
  if (device.mode == StoredDevice::Mode::kOpen && device.reserved_for.empty()) {
    Erase(devices_, device.agent_id);
  } else {
    Set(devices_, device.agent_id, device);
  }
  return absl::OkStatus();
}

Status MemoryStore::PutRecord(const StoredRecord& record) {
  Set(records_, record.agent_id, record);
  return absl::OkStatus();
}

Status MemoryStore::DeleteRecord(const std::string& agent_id) {
  Erase(records_, agent_id);
  return absl::OkStatus();
}

Status MemoryStore::PutPoison(const StoredPoison& poison) {
  Set(poison_, poison.artifact_hash, poison);
  return absl::OkStatus();
}

Status MemoryStore::DeletePoison(const std::string& artifact_hash) {
  Erase(poison_, artifact_hash);
  return absl::OkStatus();
}

StatusOr<MemoryStore::Trial*> MemoryStore::Find(const std::string& session_id, const std::string& trial_id) {
  const auto session = sessions_.find(session_id);
  if (session == sessions_.end()) return absl::NotFoundError(StrCat("no session ", session_id));
  const auto trial = session->second.trials.find(trial_id);
  if (trial == session->second.trials.end()) return absl::NotFoundError(StrCat("no trial ", trial_id));
  return &trial->second;
}

}  // namespace tilth
