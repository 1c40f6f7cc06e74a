#include "rpc_agent/disk_cache.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <vector>

#include "base/files.h"
#include "base/posix.h"

namespace tilth {
namespace {

namespace fs = std::filesystem;

// 0 if it is not there.
int64_t BytesOf(const fs::path& path) {
  std::error_code gone;
  if (!fs::is_directory(path, gone)) {
    const auto bytes = fs::file_size(path, gone);
    return gone ? 0 : static_cast<int64_t>(bytes);
  }
  int64_t bytes = 0;
  for (fs::directory_iterator it(path, gone), end; !gone && it != end; it.increment(gone)) bytes += BytesOf(it->path());
  return bytes;
}

}  // namespace

StatusOr<DiskCache> DiskCache::Open(const std::string& directory, int64_t max_bytes) {
  TILTH_RETURN_IF_ERROR(MakeDirectories(directory));
  DiskCache cache(directory, max_bytes);
  cache.Evict();
  return cache;
}

std::string DiskCache::Path(std::string_view key) const { return StrCat(directory_, "/", key); }
std::string DiskCache::PathForNew(std::string_view key) const { return StrCat(directory_, "/", key, ".new"); }

bool DiskCache::Contains(std::string_view key) const {
  // Touching it fails exactly if it is not there.
  return utimensat(AT_FDCWD, Path(key).c_str(), nullptr, 0) == 0;
}

Status DiskCache::Put(std::string_view key, std::string_view bytes) {
  TILTH_RETURN_IF_ERROR(WriteFile(PathForNew(key), bytes));
  return Adopt(key);
}

Status DiskCache::Adopt(std::string_view key) {
  if (std::rename(PathForNew(key).c_str(), Path(key).c_str()) != 0) {
    return ErrnoStatus(StrCat("renaming ", PathForNew(key)));
  }
  Written(key);
  return absl::OkStatus();
}

void DiskCache::Written(std::string_view key) {
  total_bytes_ += BytesOf(Path(key));
  if (total_bytes_ > max_bytes_) Evict();
}

void DiskCache::Evict() {
  struct Entry {
    fs::path path;
    fs::file_time_type used;
    int64_t bytes;
  };
  std::error_code error;
  std::vector<Entry> entries;
  total_bytes_ = 0;
  for (fs::directory_iterator it(directory_, error), end; !error && it != end; it.increment(error)) {
    std::error_code gone;
    Entry entry{it->path(), it->last_write_time(gone), BytesOf(it->path())};
    if (gone) continue;
    total_bytes_ += entry.bytes;
    entries.push_back(std::move(entry));
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.used < b.used; });
  if (total_bytes_ <= max_bytes_) return;
  // The newest stays, however large: it is about to be used.
  for (size_t i = 0; i + 1 < entries.size() && total_bytes_ > max_bytes_ - max_bytes_ / 8; ++i) {
    fs::remove_all(entries[i].path, error);
    total_bytes_ -= entries[i].bytes;
  }
}

}  // namespace tilth
