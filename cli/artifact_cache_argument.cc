#include "cli/artifact_cache_argument.h"

#include <cstdlib>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"

namespace tilth {
namespace {

std::string UserDirectory() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache && *cache) return StrCat(cache, "/tilth/artifacts");
  if (const char* home = std::getenv("HOME"); home && *home) return StrCat(home, "/.cache/tilth/artifacts");
  return "";
}

}  // namespace

void AddArtifactCacheArgument(CLI::App* command, std::string* directory) {
  command->add_option(
      "--artifact-cache", *directory,
      "keep compiled kernels in this directory; none: nowhere (default: in the user's cache directory)");
}

StatusOr<std::unique_ptr<ArtifactCache>> OpenArtifactCache(const std::string& directory) {
  if (directory == "none") return nullptr;
  if (!directory.empty()) return ArtifactCache::Open(directory);
  const std::string own = UserDirectory();
  if (own.empty()) return nullptr;
  // Nobody asked for this one: where it cannot be made there is none.
  StatusOr<std::unique_ptr<ArtifactCache>> cache = ArtifactCache::Open(own);
  return cache.ok() ? *std::move(cache) : nullptr;
}

}  // namespace tilth
