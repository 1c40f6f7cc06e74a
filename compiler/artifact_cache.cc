#include "compiler/artifact_cache.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "base/files.h"
#include "base/hash.h"
#include "search_space/space.h"

namespace tilth {
namespace {

namespace fs = std::filesystem;

// A file is the hash of what follows it, in hexadecimal, and that.
constexpr size_t kHashLength = 32;

// Of the running program; empty if it cannot be read, which makes all keys of such processes one family.
const std::string& ProgramHash() {
  static const auto* hash = [] {
    const StatusOr<std::string> program = ReadFile("/proc/self/exe");
    return new std::string(program.ok() ? ContentHash(*program) : "");
  }();
  return *hash;
}

}  // namespace

StatusOr<std::unique_ptr<ArtifactCache>> ArtifactCache::Open(const std::string& directory, int64_t max_bytes) {
  TILTH_RETURN_IF_ERROR(MakeDirectories(directory), "artifact cache");
  std::unique_ptr<ArtifactCache> cache(new ArtifactCache(directory, max_bytes));
  absl::MutexLock lock(&cache->mutex_);
  cache->Evict();
  return cache;
}

std::string ArtifactCache::Key(const Workload& workload, const Decisions& decisions, const Target& target,
                               std::string_view variant) {
  return ContentHash(StrCat(ProgramHash(), "\n", StructuralHash(workload), "\n", ToJson(decisions), "\n",
                            ToText(target), "\n", variant));
}

std::optional<std::string> ArtifactCache::Find(const std::string& key) {
  const std::string path = StrCat(directory_, "/", key);
  StatusOr<std::string> file = ReadFile(path);
  if (!file.ok()) return std::nullopt;
  if (file->size() < kHashLength ||
      ContentHash(std::string_view(*file).substr(kHashLength)) != std::string_view(*file).substr(0, kHashLength)) {
    RemoveFile(path).IgnoreError();
    return std::nullopt;
  }
  utimensat(AT_FDCWD, path.c_str(), nullptr, 0);  // used just now
  file->erase(0, kHashLength);
  return *std::move(file);
}

void ArtifactCache::Put(const std::string& key, std::string_view bytes) {
  absl::MutexLock lock(&mutex_);
  const std::string file = StrCat(ContentHash(bytes), bytes);
  if (!WriteFileAtomically(StrCat(directory_, "/", key), file, Durability::kProcessDeath).ok()) return;
  total_bytes_ += static_cast<int64_t>(file.size());
  if (total_bytes_ > max_bytes_) Evict();
}

void ArtifactCache::Evict() {
  struct Entry {
    fs::path path;
    fs::file_time_type used;
    int64_t bytes;
  };
  std::vector<Entry> entries;
  std::error_code error;
  total_bytes_ = 0;
  for (fs::directory_iterator it(directory_, error), end; !error && it != end; it.increment(error)) {
    std::error_code gone;
    Entry entry{it->path(), it->last_write_time(gone), static_cast<int64_t>(it->file_size(gone))};
    if (gone) continue;
    total_bytes_ += entry.bytes;
    entries.push_back(std::move(entry));
  }
  if (total_bytes_ <= max_bytes_) return;
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.used < b.used; });
  for (const Entry& entry : entries) {
    if (total_bytes_ <= max_bytes_ / 4 * 3) break;
    fs::remove(entry.path, error);
    total_bytes_ -= entry.bytes;
  }
}

}  // namespace tilth
