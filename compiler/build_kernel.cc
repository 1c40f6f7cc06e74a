#include "compiler/build_kernel.h"

#include "base/hash.h"
#include "compiler/lower/lower.h"

namespace tilth {
namespace {

StatusOr<Artifact> Build(const StatusOr<LoopProgram>& program, const Target& target, BuildStep* step) {
  *step = BuildStep::kLower;
  TILTH_RETURN_IF_ERROR(program.status(), "lowering");
  *step = BuildStep::kCompile;
  TILTH_ASSIGN_OR_RETURN(std::string object, GenerateObject(*program, target), "generating code");
  *step = BuildStep::kLink;
  Artifact artifact;
  TILTH_ASSIGN_OR_RETURN(artifact.shared_object, LinkSharedObject({object}, target), "linking");
  artifact.hash = ContentHash(artifact.shared_object);
  return artifact;
}

}  // namespace

StatusOr<Artifact> BuildArtifact(const SearchSpace& space, const Candidate& candidate, BuildStep* failed_step) {
  BuildStep ignored;
  BuildStep* step = failed_step ? failed_step : &ignored;
  *step = BuildStep::kInstantiate;
  if (candidate.sketch >= space.sketches().size())
    return absl::InvalidArgumentError("the candidate is not of this space");
  return Build(Lower(space.workload(), space.Resolve(candidate)), space.target(), step);
}

StatusOr<Artifact> BuildBaseline(const Workload& workload, const Target& target) {
  BuildStep ignored;
  return Build(LowerNaively(workload), target, &ignored);
}

}  // namespace tilth
