#include "rpc_agent/trial_directory.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>

#include "base/files.h"
#include "base/posix.h"

namespace tilth {
namespace {

// Whatever the umask of the agent is.
constexpr mode_t kDirectoryMode = 0755, kArtifactMode = 0644;

Status MakeReadable(const std::string& path, mode_t mode) {
  return chmod(path.c_str(), mode) == 0 ? absl::OkStatus() : ErrnoStatus(StrCat("setting the mode of ", path));
}

}  // namespace

StatusOr<TrialDirectory> TrialDirectory::Create(const std::string& path) {
  if (mkdir(path.c_str(), kDirectoryMode) != 0) {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
    if (mkdir(path.c_str(), kDirectoryMode) != 0) return ErrnoStatus(StrCat("making ", path));
  }
  TrialDirectory directory(path);
  TILTH_RETURN_IF_ERROR(MakeReadable(path, kDirectoryMode));
  return directory;
}

TrialDirectory::~TrialDirectory() {
  if (path_.empty()) return;
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

StatusOr<std::string> TrialDirectory::WriteArtifact(std::string_view bytes) const {
  std::string artifact = StrCat(path_, "/artifact.so");
  TILTH_RETURN_IF_ERROR(WriteFile(artifact, bytes));
  TILTH_RETURN_IF_ERROR(MakeReadable(artifact, kArtifactMode));
  return artifact;
}

StatusOr<std::string> TrialDirectory::LinkArtifact(const std::string& file) const {
  std::string artifact = StrCat(path_, "/artifact.so");
  if (link(file.c_str(), artifact.c_str()) != 0) {
    TILTH_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(file));
    return WriteArtifact(bytes);
  }
  TILTH_RETURN_IF_ERROR(MakeReadable(artifact, kArtifactMode));
  return artifact;
}

}  // namespace tilth
