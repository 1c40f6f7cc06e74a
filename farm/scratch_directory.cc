#include "farm/scratch_directory.h"

#include <sys/stat.h>
#include <unistd.h>

#include <ctime>
#include <filesystem>

#include "absl/strings/match.h"

namespace tilth {
namespace {

// Between making a directory and locking it, it looks abandoned.
constexpr int kMinAgeSeconds = 60;
constexpr char kLockName[] = "owner.lock";

StatusOr<UniqueFd> Lock(const std::string& directory) { return LockFile(StrCat(directory, "/", kLockName)); }

bool IsOldAndOurs(const std::string& path) {
  struct stat info{};
  return lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == geteuid() &&
         info.st_mtime + kMinAgeSeconds < std::time(nullptr);
}

void RemoveAbandoned(const std::string& root, std::string_view prefix) {
  const std::string begin = StrCat(prefix, "-");
  for (const std::string& name : ListDirectory(root).value_or(std::vector<std::string>())) {
    const std::string path = StrCat(root, "/", name);
    if (!absl::StartsWith(name, begin) || !IsOldAndOurs(path)) continue;
    const StatusOr<UniqueFd> lock = Lock(path);
    std::error_code ignored;
    if (lock.ok()) std::filesystem::remove_all(path, ignored);
  }
}

}  // namespace

StatusOr<ScratchDirectory> ScratchDirectory::Create(std::string_view prefix) {
  TILTH_ASSIGN_OR_RETURN(TempDir directory, TempDir::Create(prefix));
  TILTH_ASSIGN_OR_RETURN(UniqueFd lock, Lock(directory.path()));
  RemoveAbandoned(std::filesystem::path(directory.path()).parent_path(), prefix);
  return ScratchDirectory(std::move(directory), std::move(lock));
}

}  // namespace tilth
