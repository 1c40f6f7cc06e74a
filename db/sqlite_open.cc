// Opening an SQLite file: what can be wrong with the place is found before SQLite is asked, so that the message can say
// what to do about it.
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "db/sqlite.h"
#include "db/sqlite_error.h"

namespace tilth::sqlite {
namespace {

Status CheckPlace(const std::string& path, Mode mode) {
  if (path.empty()) return absl::InvalidArgumentError("the path of the database is empty");
  struct stat info;
  const bool exists = stat(path.c_str(), &info) == 0;
  if (!exists && mode != Mode::kCreate) return absl::NotFoundError(StrCat(path, ": no such file: check the path"));
  if (exists && !S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(StrCat(path, ": not a regular file: give the path of a file"));
  }
  std::string directory = std::filesystem::path(path).parent_path().string();
  if (directory.empty()) directory = ".";
  struct statfs system;
  if (statfs(directory.c_str(), &system) != 0) {
    return absl::NotFoundError(
        StrCat(path, ": directory ", directory, ": ", std::strerror(errno), ": create it first"));
  }
  if (mode == Mode::kReadOnly) return absl::OkStatus();
  if (IsNetworkFileSystem(static_cast<uint64_t>(system.f_type) & 0xffffffff)) {
    return absl::FailedPreconditionError(
        StrCat(path,
               ": lies on a network file system, whose locks do not protect a database: keep it on a local "
               "disk, and copy or `tilth log merge` it from there"));
  }
  if (exists && access(path.c_str(), W_OK) != 0) {
    return absl::PermissionDeniedError(
        StrCat(path, ": the file is read-only: change its permissions, or work on a copy"));
  }
  if (access(directory.c_str(), W_OK) != 0) {
    return absl::PermissionDeniedError(
        StrCat(path,
               ": its directory is read-only, and a database needs files beside it: change its permissions, or work on "
               "a copy"));
  }
  return absl::OkStatus();
}

// A file in WAL mode needs its -shm file even for reading. On read-only media, where SQLite cannot make one, nobody can
// be writing either, and the file may be opened as immutable.
bool MustBeImmutable(const std::string& path) {
  const std::string directory = std::filesystem::path(path).parent_path().string();
  return access(directory.empty() ? "." : directory.c_str(), W_OK) != 0 && access((path + "-wal").c_str(), F_OK) != 0;
}

std::string UriOf(const std::string& path, bool immutable) {
  std::string uri = "file:";
  for (const char c : path) {
    if (c == '?' || c == '#' || c == '%') {
      absl::StrAppendFormat(&uri, "%%%02X", static_cast<unsigned char>(c));
    } else {
      uri += c;
    }
  }
  if (immutable) uri += "?immutable=1";
  return uri;
}

int FlagsOf(Mode mode) {
  switch (mode) {
    case Mode::kReadOnly:
      return SQLITE_OPEN_READONLY;
    case Mode::kReadWrite:
      return SQLITE_OPEN_READWRITE;
    case Mode::kCreate:
      return SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  }
  return 0;
}

}  // namespace

bool IsNetworkFileSystem(uint64_t statfs_type) {
  switch (statfs_type) {
    case 0x6969:      // NFS
    case 0xff534d42:  // CIFS
    case 0xfe534d42:  // SMB2
    case 0x517b:      // SMB
    case 0x564c:      // NCP
    case 0x5346414f:  // AFS
    case 0x6b414653:  // kAFS
    case 0x73757245:  // Coda
    case 0x00c36400:  // Ceph
    case 0x0bd00bd0:  // Lustre
    case 0x47504653:  // GPFS
    case 0x01161970:  // GFS2
    case 0x7461636f:  // OCFS2
      return true;
    default:
      return false;
  }
}

StatusOr<std::unique_ptr<Database>> Database::Open(const std::string& path, const Options& options) {
  TILTH_RETURN_IF_ERROR(CheckPlace(path, options.mode));
  const bool immutable = options.mode == Mode::kReadOnly && MustBeImmutable(path);
  sqlite3* handle = nullptr;
  const int flags = FlagsOf(options.mode) | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int code = sqlite3_open_v2(UriOf(path, immutable).c_str(), &handle, flags, nullptr);
  std::unique_ptr<Database> database(new Database(handle, path));
  if (code != SQLITE_OK) return ErrorForPath(path, handle, code, "opening");
  sqlite3_busy_timeout(handle, options.busy_timeout_ms);
  // The first statement reads the header, so that a file that is no database is found here.
  const bool power_cut = options.durability == Durability::kPowerCut;
  const std::string setup =
      options.mode == Mode::kReadOnly
          ? "PRAGMA query_only = 1; SELECT count(*) FROM sqlite_schema;"
          : StrCat("PRAGMA journal_mode = WAL; PRAGMA synchronous = ", power_cut ? "FULL" : "NORMAL",
                   "; PRAGMA foreign_keys = ON;");
  const int setup_code = sqlite3_exec(handle, setup.c_str(), nullptr, nullptr, nullptr);
  if ((setup_code & 0xff) == SQLITE_ERROR) {
    return absl::DataLossError(StrCat(
        path, ": opening: its header or schema is damaged: restore a copy (SQLite: ", sqlite3_errmsg(handle), ")"));
  }
  if (setup_code != SQLITE_OK) return ErrorForPath(path, handle, setup_code, "opening");
  return database;
}

}  // namespace tilth::sqlite
