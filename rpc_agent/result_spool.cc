#include "rpc_agent/result_spool.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "base/files.h"
#include "base/logging.h"
#include "proto/farm.pb.h"

namespace tilth {
namespace {

constexpr char kSuffix[] = ".result";

// A token belongs to one trial only, and sorts by age.
std::string FileName(const proto::Lease& lease) { return absl::StrFormat("%016x%s", lease.token(), kSuffix); }

}  // namespace

StatusOr<std::unique_ptr<ResultSpool>> ResultSpool::Open(const std::string& directory) {
  TILTH_RETURN_IF_ERROR(MakeDirectories(directory));
  return std::unique_ptr<ResultSpool>(new ResultSpool(directory));
}

Status ResultSpool::Add(const proto::TrialFinished& finished) {
  std::lock_guard lock(mutex_);
  // After a power cut the lease expires and another device measures; waiting for the disk would cost every trial.
  std::string bytes = finished.SerializeAsString();
  Status written =
      WriteFileAtomically(StrCat(directory_, "/", FileName(finished.lease())), bytes, Durability::kProcessDeath);
  in_memory_.erase(finished.lease().token());
  if (!written.ok()) in_memory_[finished.lease().token()] = std::move(bytes);
  return written;
}

void ResultSpool::Remove(const proto::Lease& lease) {
  std::lock_guard lock(mutex_);
  in_memory_.erase(lease.token());
  if (const Status removed = RemoveFile(StrCat(directory_, "/", FileName(lease))); !removed.ok()) {
    LogWarning(removed.ToString());
  }
}

std::vector<proto::TrialFinished> ResultSpool::All() const {
  std::lock_guard lock(mutex_);
  std::vector<proto::TrialFinished> all;
  for (const std::string& name : ListDirectory(directory_).value_or(std::vector<std::string>())) {
    const std::string path = StrCat(directory_, "/", name);
    proto::TrialFinished finished;
    const StatusOr<std::string> bytes = ReadFile(path);
    if (!bytes.ok()) {
      // What cannot be read now may be a result all the same.
      LogWarning(bytes.status().ToString());
    } else if (absl::EndsWith(name, kSuffix) && finished.ParseFromString(*bytes)) {
      all.push_back(std::move(finished));
    } else {
      LogWarning("removing ", path, ", which is no result");
      RemoveFile(path).IgnoreError();
    }
  }
  for (const auto& [token, bytes] : in_memory_) {
    proto::TrialFinished finished;
    // An older version of it may be on the disk.
    std::erase_if(all, [token](const proto::TrialFinished& other) { return other.lease().token() == token; });
    if (finished.ParseFromString(bytes)) all.push_back(std::move(finished));
  }
  std::sort(all.begin(), all.end(), [](const proto::TrialFinished& a, const proto::TrialFinished& b) {
    return a.lease().token() < b.lease().token();
  });
  return all;
}

}  // namespace tilth
