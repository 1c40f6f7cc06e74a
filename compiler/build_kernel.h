// Candidate → artifact: resolve, lower, generate, link.
#pragma once

#include <string>

#include "base/status.h"
#include "compiler/artifact_cache.h"
#include "compiler/codegen/codegen.h"
#include "search_space/space.h"

namespace tilth {

struct Artifact {
  std::string shared_object;  // bytes of an ELF shared object with the kernel ABI
  std::string hash;           // ContentHash of the bytes
};

// Which step of a build failed; names a MeasureErrorKind.
enum class BuildStep { kInstantiate, kLower, kCompile, kLink };

// How a build went: filled as far as it came.
struct BuildReport {
  BuildStep step = BuildStep::kInstantiate;  // the last one begun; of a failed build the one that failed
  double lower_s = 0, link_s = 0;
  CodegenTimes codegen;
};

// From `cache` if it is there, otherwise into it. `report` and `cache` may be null. Thread-safe.
StatusOr<Artifact> BuildArtifact(const SearchSpace& space, const Candidate& candidate, BuildReport* report = nullptr,
                                 ArtifactCache* cache = nullptr);

// The baseline artifact of a workload (LowerNaively).
StatusOr<Artifact> BuildBaseline(const Workload& workload, const Target& target);

}  // namespace tilth
