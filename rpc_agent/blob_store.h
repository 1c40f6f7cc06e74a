// The artifacts that this device has been sent, as files; what is missing is fetched from the tracker. Each is alone in
// a directory, which is all that a candidate will see of the file system.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "base/status.h"
#include "proto/farm.pb.h"
#include "rpc_agent/disk_cache.h"
#include "rpc_agent/tracker_stream.h"

namespace tilth {

class BlobStore {
 public:
  // `directory` is of bounded size. `stream` must outlive the store.
  static StatusOr<std::unique_ptr<BlobStore>> Open(const std::string& directory, TrackerStream& stream);

  // The file with the content of that hash, readable for everybody. From one thread. It goes when hundreds of megabytes
  // of others have come.
  StatusOr<std::string> Fetch(const std::string& hash);

  // Checks and keeps what came with a grant. From any thread.
  Status Keep(const proto::Blob& blob);

 private:
  BlobStore(DiskCache files, TrackerStream& stream) : stream_(stream), files_(std::move(files)) {}

  std::string FileOf(const std::string& hash) const { return files_.Path(hash) + "/artifact.so"; }

  TrackerStream& stream_;
  std::mutex mutex_;  // for writing
  DiskCache files_;
};

}  // namespace tilth
