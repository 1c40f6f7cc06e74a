// Who did what in a farm, for whoever has to find out later: state/audit.log, one JSON object a line.
//
//   {"time":"2026-11-21T22:05:09.123Z","action":"submit","name":"alice","role":"submitter","serial":"5f…",
//    "session":"…","trials":64,"artifacts":["…"]}
//
// A line is in the file before anybody is told that the action was done; an action whose line cannot be written is
// refused. At `max_bytes` the file becomes audit.log.1, the former .1 becomes .2, and so on; the oldest goes.
// Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/posix.h"
#include "base/status.h"
#include "farm/access.h"

namespace tilth {

struct AuditEvent {
  std::string action;
  std::vector<std::pair<std::string, std::string>> details;
  std::vector<std::string> artifacts;  // hashes
};

struct AuditOptions {
  int64_t max_bytes = int64_t{64} << 20;
  int kept_files = 8;  // beside the one that is written
  int refusals_per_minute = 60;
};

class AuditLog {
 public:
  static StatusOr<std::unique_ptr<AuditLog>> Open(const std::string& path, const Clock& clock,
                                                  const AuditOptions& options = {});

  Status Write(const Peer& peer, const AuditEvent& event);

  // A call that was not let in. Strangers can make any number of these: those beyond the limit are only counted, in the
  // next line that is written.
  void WriteRefusal(const Peer& peer, const std::string& method, const Status& why);

 private:
  AuditLog(std::string path, const Clock& clock, const AuditOptions& options)
      : path_(std::move(path)), clock_(clock), options_(options) {}

  Status OpenFile();
  Status Append(const std::string& line);
  Status Rotate();

  const std::string path_;
  const Clock& clock_;
  const AuditOptions options_;
  std::mutex mutex_;
  UniqueFd fd_;
  int64_t bytes_ = 0;
  int64_t minute_ = 0;
  int refusals_ = 0, suppressed_ = 0;
};

}  // namespace tilth
