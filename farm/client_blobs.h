// A client's blobs, compressed, for as long as it may have to send them: artifacts until the trials that name them are
// finished, baselines as long as the session.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "base/status.h"
#include "proto/farm.pb.h"

namespace tilth {

// Thread-safe.
class ClientBlobs {
 public:
  // Returns the bytes' ContentHash. Every artifact is put once for each Use of it, or more often.
  StatusOr<std::string> Put(std::string_view bytes);

  // A trial is about to be submitted: its blobs stay until it is released. kInvalidArgument if one has not been put.
  Status Use(const proto::Trial& trial);
  // The trial is finished, or cancelled.
  void Release(const proto::Trial& trial);

  // Adds to the request those of the trial's blobs that the tracker has not been sent, or all.
  void AddTo(const proto::Trial& trial, bool all, proto::SubmitRequest* request);
  // The tracker has accepted the request.
  void MarkSent(const proto::SubmitRequest& request);

 private:
  struct Entry {
    std::string frame;
    int puts = 0;    // that no trial has used yet
    int trials = 0;  // unfinished ones whose artifact it is
    bool baseline = false;
    bool sent = false;
  };

  std::mutex mutex_;
  std::map<std::string, Entry> entries_;
};

}  // namespace tilth
