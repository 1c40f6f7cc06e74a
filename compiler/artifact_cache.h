// Compiled kernels by what they were made from, in a directory of bounded size: building a model again, or a candidate
// that a killed session had built, takes no compiler.
//
// A key covers the workload, the decisions, the target and the program that compiles (its very bytes), so that nothing
// that could change the code is left out. Files are checked when read; a damaged one is removed and counts as absent.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/synchronization/mutex.h"
#include "base/status.h"
#include "ir/target.h"
#include "ir/workload.h"
#include "search_space/candidate.h"

namespace tilth {

class ArtifactCache {
 public:
  static constexpr int64_t kDefaultMaxBytes = int64_t{256} << 20;

  // Creates the directory. When its files exceed `max_bytes`, those used longest ago go until three quarters are left.
  static StatusOr<std::unique_ptr<ArtifactCache>> Open(const std::string& directory,
                                                       int64_t max_bytes = kDefaultMaxBytes);

  // `variant` tells apart what else decides the bytes: options of code generation.
  static std::string Key(const Workload& workload, const Decisions& decisions, const Target& target,
                         std::string_view variant);

  // The bytes put under `key`, by whatever process. Thread-safe, as is Put.
  std::optional<std::string> Find(const std::string& key);
  // That they cannot be stored is no error: it only means that they are built again.
  void Put(const std::string& key, std::string_view bytes);

 private:
  ArtifactCache(std::string directory, int64_t max_bytes) : directory_(std::move(directory)), max_bytes_(max_bytes) {}
  void Evict() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string directory_;
  const int64_t max_bytes_;
  absl::Mutex mutex_;
  int64_t total_bytes_ ABSL_GUARDED_BY(mutex_) = 0;  // as far as this process knows
};

}  // namespace tilth
