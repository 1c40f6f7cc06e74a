// Files by key in a directory of bounded size: artifacts and baseline outputs outlive the agent, but not for ever.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace tilth {

class DiskCache {
 public:
  // Creates the directory. When its files exceed `max_bytes`, those used longest ago go, an eighth of all at least, so
  // that the directory is looked through only now and then.
  static StatusOr<DiskCache> Open(const std::string& directory, int64_t max_bytes);

  // Where the file of `key` is, or will be. Keys are hexadecimal.
  std::string Path(std::string_view key) const;
  // Whether it is there; marks it as used.
  bool Contains(std::string_view key) const;
  Status Put(std::string_view key, std::string_view bytes);
  // A path to write to before Adopt makes it the file of `key`.
  std::string PathForNew(std::string_view key) const;
  Status Adopt(std::string_view key);
  // What is at the path of `key`, a file or a directory of files, has just been written.
  void Written(std::string_view key);

 private:
  DiskCache(std::string directory, int64_t max_bytes) : directory_(std::move(directory)), max_bytes_(max_bytes) {}
  // Looks through the directory for what it holds.
  void Evict();

  std::string directory_;
  int64_t max_bytes_;
  int64_t total_bytes_ = 0;  // of what is there, or more: a file that is replaced counts twice until the next look
};

}  // namespace tilth
