// The table from SQLite's result codes to statuses with a remedy.
#include "db/sqlite_error.h"

#include <sqlite3.h>

#include <cerrno>

namespace tilth::sqlite {
namespace {

struct Explanation {
  absl::StatusCode code;
  std::string_view remedy;
};

constexpr Explanation kDiskFull = {
    absl::StatusCode::kResourceExhausted,
    "the disk is full (or a quota or size limit is reached): free some space and run the same "
    "command again; what was committed before is safe"};

Explanation Explain(int extended_code, int system_errno) {
  switch (extended_code & 0xff) {
    case SQLITE_FULL:
      return kDiskFull;
    case SQLITE_IOERR:
      // A write cut short by a limit reports no reliable errno; only a true device error does.
      if (extended_code == SQLITE_IOERR_WRITE && system_errno != EIO) return kDiskFull;
      return {absl::StatusCode::kUnavailable, "the disk reports an error; see the system log"};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {absl::StatusCode::kUnavailable,
              "another process is writing to it: wait until it is done, or use another file"};
    case SQLITE_READONLY:
      return {absl::StatusCode::kPermissionDenied,
              "the file or its directory is read-only: change its permissions, or work on a copy"};
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_CANTOPEN:
      return {absl::StatusCode::kPermissionDenied,
              "it cannot be opened: check that its directory exists and that both may be read and written"};
    case SQLITE_NOTADB:
      return {absl::StatusCode::kInvalidArgument, "the file is not an SQLite database: check the path"};
    case SQLITE_CORRUPT:
      return {absl::StatusCode::kDataLoss,
              "the file is damaged: restore a copy, or save what can be read with `tilth log export`"};
    case SQLITE_CONSTRAINT:
      return {absl::StatusCode::kFailedPrecondition, "the row breaks a rule of the table"};
    case SQLITE_TOOBIG:
      return {absl::StatusCode::kInvalidArgument, "a value is larger than SQLite can hold"};
    case SQLITE_NOMEM:
      return {absl::StatusCode::kResourceExhausted, "out of memory"};
    default:
      return {absl::StatusCode::kInternal, "unexpected; please report it"};
  }
}

}  // namespace

Status ErrorForPath(const std::string& path, sqlite3* connection, int code, std::string_view doing) {
  const int system_errno = connection == nullptr ? 0 : sqlite3_system_errno(connection);
  const int extended = connection == nullptr ? code : sqlite3_extended_errcode(connection);
  Explanation explanation = Explain(extended, system_errno);
  if (extended == SQLITE_CONSTRAINT_UNIQUE || extended == SQLITE_CONSTRAINT_PRIMARYKEY) {
    explanation.code = absl::StatusCode::kAlreadyExists;
  }
  const char* detail = connection == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(connection);
  return Status(explanation.code, StrCat(path, ": ", doing, ": ", explanation.remedy, " (SQLite: ", detail, ")"));
}

Status ErrorFromCode(sqlite3* connection, int code, std::string_view doing) {
  const char* path = sqlite3_db_filename(connection, "main");
  return ErrorForPath(path == nullptr || *path == '\0' ? "database" : path, connection, code, doing);
}

}  // namespace tilth::sqlite
