#include "rpc_agent/blob_store.h"

#include "proto/blob.h"

namespace tilth {

StatusOr<std::unique_ptr<BlobStore>> BlobStore::Open(const std::string& directory, TrackerStream& stream) {
  constexpr int64_t kMostBytes = int64_t{512} << 20;
  TILTH_ASSIGN_OR_RETURN(DiskCache files, DiskCache::Open(directory, kMostBytes));
  return std::unique_ptr<BlobStore>(new BlobStore(std::move(files), stream));
}

StatusOr<std::string> BlobStore::Fetch(const std::string& hash) {
  if (!IsContentHash(hash)) return absl::InvalidArgumentError("the trial names a blob by what is no hash");
  if (!files_.Contains(hash)) {
    TILTH_ASSIGN_OR_RETURN(const proto::Blob blob, stream_.FetchBlob(hash));
    if (blob.hash() != hash) return absl::InternalError("the tracker answers with another blob");
    TILTH_RETURN_IF_ERROR(Keep(blob));
  }
  return files_.Path(hash);
}

Status BlobStore::Keep(const proto::Blob& blob) {
  TILTH_ASSIGN_OR_RETURN(const std::string content, UnpackBlob(blob));
  // A grant may come while the worker fetches the same blob.
  std::lock_guard lock(mutex_);
  return files_.Put(blob.hash(), content);
}

}  // namespace tilth
