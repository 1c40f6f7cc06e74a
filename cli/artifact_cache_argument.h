// The argument of commands that compile: where compiled kernels are kept for the next time.
#pragma once

#include <memory>
#include <string>

#include "compiler/artifact_cache.h"

namespace CLI {
class App;
}

namespace tilth {

// Declares --artifact-cache; `directory` outlives the parse.
void AddArtifactCacheArgument(CLI::App* command, std::string* directory);

// The cache in `directory`; where that is empty, in the user's cache directory, if there is one. Null: no cache, as
// "none" asks for.
StatusOr<std::unique_ptr<ArtifactCache>> OpenArtifactCache(const std::string& directory);

}  // namespace tilth
