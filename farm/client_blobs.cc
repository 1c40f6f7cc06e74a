#include "farm/client_blobs.h"

#include <algorithm>

#include "base/hash.h"
#include "proto/blob.h"

namespace tilth {

StatusOr<std::string> ClientBlobs::Put(std::string_view bytes) {
  const std::string hash = ContentHash(bytes);
  {
    std::lock_guard lock(mutex_);
    if (const auto found = entries_.find(hash); found != entries_.end()) {
      ++found->second.puts;
      return hash;
    }
  }
  TILTH_ASSIGN_OR_RETURN(std::string frame, CompressBlob(bytes));
  std::lock_guard lock(mutex_);
  Entry& entry = entries_[hash];
  entry.frame = std::move(frame);
  ++entry.puts;
  return hash;
}

Status ClientBlobs::Use(const proto::Trial& trial) {
  std::lock_guard lock(mutex_);
  const auto artifact = entries_.find(trial.artifact_hash());
  const auto baseline = entries_.find(trial.baseline_hash());
  if (artifact == entries_.end() || baseline == entries_.end()) {
    return absl::InvalidArgumentError(StrCat("trial ", trial.trial_id(), ": PutBlob has not seen its ",
                                             artifact == entries_.end() ? "artifact" : "baseline"));
  }
  artifact->second.puts = std::max(0, artifact->second.puts - 1);
  ++artifact->second.trials;
  baseline->second.baseline = true;
  return absl::OkStatus();
}

void ClientBlobs::Release(const proto::Trial& trial) {
  std::lock_guard lock(mutex_);
  const auto found = entries_.find(trial.artifact_hash());
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  if (--entry.trials > 0 || entry.baseline) return;
  // The tracker forgets it with the trial.
  entry.sent = false;
  if (entry.puts == 0) entries_.erase(found);
}

void ClientBlobs::AddTo(const proto::Trial& trial, bool all, proto::SubmitRequest* request) {
  std::lock_guard lock(mutex_);
  for (const std::string& hash : {trial.artifact_hash(), trial.baseline_hash()}) {
    const auto found = entries_.find(hash);
    if (found == entries_.end() || (found->second.sent && !all)) continue;
    const bool there = std::any_of(request->blobs().begin(), request->blobs().end(),
                                   [&](const proto::Blob& blob) { return blob.hash() == hash; });
    if (there) continue;
    proto::Blob* blob = request->add_blobs();
    blob->set_hash(hash);
    blob->set_data(found->second.frame);
  }
}

void ClientBlobs::MarkSent(const proto::SubmitRequest& request) {
  std::lock_guard lock(mutex_);
  for (const proto::Blob& blob : request.blobs()) {
    const auto found = entries_.find(blob.hash());
    // The result may have been quicker than the reply, and the tracker forgets the artifact with its last trial.
    if (found == entries_.end() || (found->second.trials == 0 && !found->second.baseline)) continue;
    found->second.sent = true;
  }
}

}  // namespace tilth
