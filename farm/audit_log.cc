#include "farm/audit_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <ctime>

#include "base/files.h"
#include "base/logging.h"
#include "nlohmann/json.hpp"

namespace tilth {
namespace {

constexpr size_t kMaxValueBytes = 256;

using Json = nlohmann::ordered_json;

std::string FormatTime(int64_t wall_ms) {
  const std::time_t seconds = wall_ms / 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return absl::StrFormat("%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                         parts.tm_hour, parts.tm_min, parts.tm_sec, wall_ms % 1000);
}

std::string FormatLine(int64_t wall_ms, const Peer& peer, const AuditEvent& event) {
  Json line = {{"time", FormatTime(wall_ms)}, {"action", event.action}};
  if (!peer.name.empty()) {
    line["name"] = peer.name;
    line["role"] = peer.role;
    line["serial"] = peer.serial;
  }
  for (const auto& [key, value] : event.details) line[key] = value.substr(0, kMaxValueBytes);
  if (!event.artifacts.empty()) line["artifacts"] = event.artifacts;
  // Names and reasons may come from strangers: what is not UTF-8 must not stop the log.
  return StrCat(line.dump(-1, ' ', false, Json::error_handler_t::replace), "\n");
}

}  // namespace

StatusOr<std::unique_ptr<AuditLog>> AuditLog::Open(const std::string& path, const Clock& clock,
                                                   const AuditOptions& options) {
  std::unique_ptr<AuditLog> log(new AuditLog(path, clock, options));
  TILTH_RETURN_IF_ERROR(log->OpenFile());
  return log;
}

Status AuditLog::OpenFile() {
  fd_ = UniqueFd(open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!fd_.valid()) return ErrnoStatus(StrCat("opening ", path_));
  struct stat info;
  if (fstat(fd_.get(), &info) != 0) return ErrnoStatus(StrCat("looking at ", path_));
  bytes_ = info.st_size;
  // A line that a killed tracker, or a full disk, left half written ends here.
  char last = '\n';
  if (bytes_ > 0 && pread(fd_.get(), &last, 1, bytes_ - 1) == 1 && last != '\n') return Append("\n");
  return absl::OkStatus();
}

Status AuditLog::Write(const Peer& peer, const AuditEvent& event) {
  std::lock_guard lock(mutex_);
  return Append(FormatLine(clock_.WallMs(), peer, event));
}

void AuditLog::WriteRefusal(const Peer& peer, const std::string& method, const Status& why) {
  std::lock_guard lock(mutex_);
  const int64_t minute = clock_.WallMs() / 60'000;
  if (minute != minute_) {
    minute_ = minute;
    refusals_ = 0;
  }
  if (++refusals_ > options_.refusals_per_minute) {
    ++suppressed_;
    return;
  }
  AuditEvent event{.action = "refused", .details = {{"call", method}, {"reason", std::string(ToStd(why.message()))}}};
  if (suppressed_ > 0) event.details.emplace_back("refusals_not_written", StrCat(suppressed_));
  suppressed_ = 0;
  const Status written = Append(FormatLine(clock_.WallMs(), peer, event));
  // The call is refused in any case.
  if (!written.ok()) LogError(written.ToString());
}

Status AuditLog::Append(const std::string& line) {
  if (bytes_ > 0 && bytes_ + static_cast<int64_t>(line.size()) > options_.max_bytes) TILTH_RETURN_IF_ERROR(Rotate());
  const Status written = WriteAll(fd_.get(), line);
  bytes_ += static_cast<int64_t>(line.size());
  return Annotate(written, StrCat("the audit log ", path_, " cannot be written, and nothing is done without it"));
}

Status AuditLog::Rotate() {
  for (int i = options_.kept_files; i > 0; --i) {
    const std::string from = i == 1 ? path_ : StrCat(path_, ".", i - 1);
    if (FileExists(from) && rename(from.c_str(), StrCat(path_, ".", i).c_str()) != 0) {
      return ErrnoStatus(StrCat("rotating ", from));
    }
  }
  return OpenFile();
}

}  // namespace tilth
