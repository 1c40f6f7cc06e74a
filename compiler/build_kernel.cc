#include "compiler/build_kernel.h"

#include "base/clock.h"
#include "base/hash.h"
#include "compiler/lower/lower.h"

namespace tilth {
namespace {

double SecondsSince(int64_t begun_ns) { return 1e-9 * static_cast<double>(SystemClock().NowNs() - begun_ns); }

StatusOr<Artifact> Build(const StatusOr<LoopProgram>& program, const Target& target, BuildReport* report) {
  report->step = BuildStep::kLower;
  TILTH_RETURN_IF_ERROR(program.status(), "lowering");
  report->step = BuildStep::kCompile;
  TILTH_ASSIGN_OR_RETURN(const std::string object, GenerateObject(*program, target, {}, &report->codegen),
                         "generating code");
  report->step = BuildStep::kLink;
  const int64_t begun_ns = SystemClock().NowNs();
  Artifact artifact;
  TILTH_ASSIGN_OR_RETURN(artifact.shared_object, LinkSharedObject({object}, target), "linking");
  artifact.hash = ContentHash(artifact.shared_object);
  report->link_s = SecondsSince(begun_ns);
  return artifact;
}

}  // namespace

StatusOr<Artifact> BuildArtifact(const SearchSpace& space, const Candidate& candidate, BuildReport* report,
                                 ArtifactCache* cache) {
  BuildReport ignored;
  if (!report) report = &ignored;
  *report = {};
  if (candidate.sketch >= space.sketches().size())
    return absl::InvalidArgumentError("the candidate is not of this space");
  std::string key;
  if (cache) {
    key = ArtifactCache::Key(space.workload(), space.ToDecisions(candidate), space.target(), "artifact");
    if (std::optional<std::string> found = cache->Find(key)) {
      std::string hash = ContentHash(*found);
      return Artifact{*std::move(found), std::move(hash)};
    }
  }
  const int64_t begun_ns = SystemClock().NowNs();
  const StatusOr<LoopProgram> program = Lower(space.workload(), space.Resolve(candidate));
  report->lower_s = SecondsSince(begun_ns);
  StatusOr<Artifact> artifact = Build(program, space.target(), report);
  if (cache && artifact.ok()) cache->Put(key, artifact->shared_object);
  return artifact;
}

StatusOr<Artifact> BuildBaseline(const Workload& workload, const Target& target) {
  BuildReport ignored;
  return Build(LowerNaively(workload), target, &ignored);
}

}  // namespace tilth
