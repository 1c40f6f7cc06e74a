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

Status WriteFileAtomically(const std::string& path, std::string_view bytes, Durability durability) {
  const std::string beside = StrCat(path, ".new.", getpid());
  UniqueFd fd(open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (!fd.valid()) return ErrnoStatus(StrCat("creating ", beside));
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
