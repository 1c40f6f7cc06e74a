#include "compiler/explain_kernel.h"

#include "compiler/lower/lower.h"

namespace tilth {

StatusOr<KernelExplanation> ExplainKernel(const SearchSpace& space, const Candidate& candidate) {
  if (candidate.sketch >= space.sketches().size())
    return absl::InvalidArgumentError("the candidate is not of this space");
  TILTH_ASSIGN_OR_RETURN(const LoopProgram program, Lower(space.workload(), space.Resolve(candidate)), "lowering");
  const Target& target = space.target();
  KernelExplanation explanation;
  explanation.program = ToText(program);
  explanation.flops = Flops(space.workload());
  explanation.bytes = CompulsoryBytes(space.workload());
  explanation.peak_gflops = 2.0 * target.vector_bytes / 4 * target.fma_per_cycle * target.clock_ghz;
  StatusOr<HotLoop> loop = FindHotLoop(program, target);
  if (loop.ok())
    explanation.loop = *std::move(loop);
  else if (loop.status().code() != absl::StatusCode::kNotFound)
    return Annotate(loop.status(), "analysing the machine code");
  return explanation;
}

}  // namespace tilth
