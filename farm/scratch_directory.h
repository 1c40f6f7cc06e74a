// Temporary directories that do not pile up: those whose owners were killed are removed by the next one who makes one.
#pragma once

#include <string>
#include <string_view>

#include "base/files.h"
#include "base/posix.h"
#include "base/status.h"

namespace tilth {

// A TempDir that is locked for the life of this object (and of this process at most). Move-only.
class ScratchDirectory {
 public:
  // Creates one named `prefix`-…, and first removes every unlocked one of the same prefix and user that is older than a
  // minute.
  static StatusOr<ScratchDirectory> Create(std::string_view prefix);

  const std::string& path() const { return directory_.path(); }

 private:
  ScratchDirectory(TempDir directory, UniqueFd lock) : directory_(std::move(directory)), lock_(std::move(lock)) {}

  TempDir directory_;
  UniqueFd lock_;
};

}  // namespace tilth
