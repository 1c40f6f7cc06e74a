#include "base/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "base/posix.h"

namespace tilth {

StatusOr<std::string> ReadFile(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return ErrnoStatus(StrCat("opening ", path));
  std::string bytes;
  struct stat info;
  if (fstat(fd.get(), &info) == 0 && info.st_size > 0) bytes.reserve(static_cast<size_t>(info.st_size));
  char chunk[1 << 16];
  for (;;) {
    ssize_t n = read(fd.get(), chunk, sizeof chunk);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoStatus(StrCat("reading ", path));
    if (n == 0) return bytes;
    bytes.append(chunk, static_cast<size_t>(n));
  }
}

Status WriteFile(const std::string& path, std::string_view bytes) {
  UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (!fd.valid()) return ErrnoStatus(StrCat("creating ", path));
  TILTH_RETURN_IF_ERROR(WriteAll(fd.get(), bytes), "writing ", path);
  if (close(fd.release()) != 0) return ErrnoStatus(StrCat("writing ", path));
  return absl::OkStatus();
}

namespace {

// Writes through `fd`, which is the open file `beside`, and puts that in the place of `path`.
Status FinishAtomicWrite(UniqueFd fd, const std::string& beside, const std::string& path, std::string_view bytes,
                         Durability durability) {
  Status written = WriteAll(fd.get(), bytes);
  const bool sync = durability == Durability::kPowerCut;
  if (written.ok() && sync && fdatasync(fd.get()) != 0) written = ErrnoStatus("syncing");
  if (written.ok() && rename(beside.c_str(), path.c_str()) != 0) written = ErrnoStatus("renaming");
  if (!written.ok()) {
    unlink(beside.c_str());
    return Annotate(written, StrCat("writing ", path));
  }
  return absl::OkStatus();
}

}  // namespace

Status WriteFileAtomically(const std::string& path, std::string_view bytes, Durability durability) {
  const std::string beside = StrCat(path, ".new.", getpid());
  UniqueFd fd(open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (!fd.valid()) return ErrnoStatus(StrCat("creating ", beside));
  return FinishAtomicWrite(std::move(fd), beside, path, bytes, durability);
}

Status WriteSecretFile(const std::string& path, std::string_view bytes) {
  const std::string beside = StrCat(path, ".new.", getpid());
  unlink(beside.c_str());  // one that a killed process left may be open to others
  UniqueFd fd(open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd.valid()) return ErrnoStatus(StrCat("creating ", beside));
  struct stat directory;
  const std::string parent = std::filesystem::path(path).parent_path().string();
  if (geteuid() == 0 && stat(parent.empty() ? "." : parent.c_str(), &directory) == 0 && directory.st_uid != 0 &&
      fchown(fd.get(), directory.st_uid, directory.st_gid) != 0) {
    const Status failed = ErrnoStatus(StrCat("giving ", beside, " to the owner of its directory"));
    unlink(beside.c_str());
    return failed;
  }
  return FinishAtomicWrite(std::move(fd), beside, path, bytes, Durability::kPowerCut);
}

Status MakeSecretDirectory(const std::string& path) {
  if (FileExists(path)) return MakeDirectories(path);
  TILTH_RETURN_IF_ERROR(MakeDirectories(path));
  if (chmod(path.c_str(), 0700) != 0) return ErrnoStatus(StrCat("closing ", path, " to others"));
  struct stat parent;
  if (geteuid() == 0 && stat(StrCat(path, "/..").c_str(), &parent) == 0 &&
      chown(path.c_str(), parent.st_uid, parent.st_gid) != 0) {
    return ErrnoStatus(StrCat("giving ", path, " to the owner of its parent"));
  }
  return absl::OkStatus();
}

Status CheckSecretFile(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return ErrnoStatus(StrCat("looking at ", path));
  if ((info.st_mode & 077) == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrFormat("others than its owner may use the key in %s (mode %04o): chmod 600 it, and if somebody may have "
                      "read it, replace "
                      "the key",
                      path, info.st_mode & 07777));
}

bool FileExists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

Status MakeDirectories(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return absl::FailedPreconditionError(StrCat("creating directory ", path, ": ", error.message()));
  return absl::OkStatus();
}

StatusOr<std::vector<std::string>> ListDirectory(const std::string& path) {
  std::error_code error;
  std::vector<std::string> names;
  std::filesystem::directory_iterator it(path, error), end;
  for (; !error && it != end; it.increment(error)) names.push_back(it->path().filename().string());
  if (error) return absl::NotFoundError(StrCat("listing ", path, ": ", error.message()));
  std::sort(names.begin(), names.end());
  return names;
}

Status RemoveFile(const std::string& path) {
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return ErrnoStatus(StrCat("removing ", path));
  return absl::OkStatus();
}

StatusOr<std::string> ProgramDirectory() {
  std::error_code error;
  std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return absl::InternalError(StrCat("reading /proc/self/exe: ", error.message()));
  return program.parent_path().string();
}

StatusOr<TempDir> TempDir::Create(std::string_view prefix) {
  const char* root = std::getenv("TMPDIR");
  std::string path = StrCat(root != nullptr && *root != '\0' ? root : "/tmp", "/", prefix, "-XXXXXX");
  if (mkdtemp(path.data()) == nullptr) return ErrnoStatus(StrCat("creating a directory like ", path));
  return TempDir(std::move(path));
}

TempDir::~TempDir() {
  if (path_.empty()) return;
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace tilth
