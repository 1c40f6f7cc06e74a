// Whole files and temporary directories. Errors name the path and the operating system's reason.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace tilth {

// NOT_FOUND when there is no such file.
StatusOr<std::string> ReadFile(const std::string& path);

// Creates or truncates; not atomic, not synced.
Status WriteFile(const std::string& path, std::string_view bytes);

// What survives once a write has returned OK.
enum class Durability { kProcessDeath, kPowerCut };

// A reader sees the old contents or the new, never a mixture: written beside the target, synced (for kPowerCut, which
// takes milliseconds), renamed.
Status WriteFileAtomically(const std::string& path, std::string_view bytes,
                           Durability durability = Durability::kPowerCut);

// As WriteFileAtomically with kPowerCut, and nobody but the owner may read it, at any moment. Written by root, it
// belongs to the owner of its directory: a service that root prepares runs as somebody else.
Status WriteSecretFile(const std::string& path, std::string_view bytes);

// A directory for secrets: as MakeDirectories, and if it had to be made, nobody but the owner of its parent may enter.
Status MakeSecretDirectory(const std::string& path);

// kFailedPrecondition, with the command that helps, if others than its owner may read or write the file.
Status CheckSecretFile(const std::string& path);

bool FileExists(const std::string& path);

// Creates `path` and its parents; OK if it is a directory already.
Status MakeDirectories(const std::string& path);

// Names (not paths) in a directory, sorted, without "." and "..".
StatusOr<std::vector<std::string>> ListDirectory(const std::string& path);

// OK if it was not there.
Status RemoveFile(const std::string& path);

// The folder of the running program (through /proc/self/exe), without a trailing slash.
StatusOr<std::string> ProgramDirectory();

// A fresh directory under $TMPDIR (or /tmp), removed with all that is in it on destruction. Move-only.
class TempDir {
 public:
  // `prefix` begins the directory's name.
  static StatusOr<TempDir> Create(std::string_view prefix = "tilth");

  TempDir(TempDir&& other) noexcept : path_(std::move(other.path_)) { other.path_.clear(); }
  TempDir& operator=(TempDir&& other) noexcept {
    std::swap(path_, other.path_);
    return *this;
  }
  ~TempDir();

  const std::string& path() const { return path_; }
  std::string File(std::string_view name) const { return StrCat(path_, "/", name); }

 private:
  explicit TempDir(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace tilth
