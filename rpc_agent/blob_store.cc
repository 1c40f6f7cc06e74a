#include "rpc_agent/blob_store.h"

#include <sys/stat.h>

#include "base/files.h"
#include "base/posix.h"
#include "proto/blob.h"

namespace tilth {
namespace {

// Whatever the umask of the agent is.
Status MakeReadable(const std::string& path, mode_t mode) {
  return chmod(path.c_str(), mode) == 0 ? absl::OkStatus() : ErrnoStatus(StrCat("setting the mode of ", path));
}

}  // namespace

StatusOr<std::unique_ptr<BlobStore>> BlobStore::Open(const std::string& directory, TrackerStream& stream) {
  constexpr int64_t kMostBytes = int64_t{512} << 20;
  TILTH_ASSIGN_OR_RETURN(DiskCache files, DiskCache::Open(directory, kMostBytes));
  return std::unique_ptr<BlobStore>(new BlobStore(std::move(files), stream));
}

StatusOr<std::string> BlobStore::Fetch(const std::string& hash) {
  if (!IsContentHash(hash)) return absl::InvalidArgumentError("the trial names a blob by what is no hash");
  // Asking the cache marks it as used.
  if (!files_.Contains(hash) || !FileExists(FileOf(hash))) {
    TILTH_ASSIGN_OR_RETURN(const proto::Blob blob, stream_.FetchBlob(hash));
    if (blob.hash() != hash) return absl::InternalError("the tracker answers with another blob");
    TILTH_RETURN_IF_ERROR(Keep(blob));
  }
  return FileOf(hash);
}

Status BlobStore::Keep(const proto::Blob& blob) {
  TILTH_ASSIGN_OR_RETURN(const std::string content, UnpackBlob(blob));
  // A grant may come while the worker fetches the same blob.
  std::lock_guard lock(mutex_);
  // It may be run at this moment, so it stays whole.
  TILTH_RETURN_IF_ERROR(MakeDirectories(files_.Path(blob.hash())));
  TILTH_RETURN_IF_ERROR(MakeReadable(files_.Path(blob.hash()), 0755));
  const std::string file = FileOf(blob.hash());
  TILTH_RETURN_IF_ERROR(WriteFileAtomically(file, content, Durability::kProcessDeath));
  TILTH_RETURN_IF_ERROR(MakeReadable(file, 0644));
  files_.Written(blob.hash());
  return absl::OkStatus();
}

}  // namespace tilth
