// What a candidate becomes, for people who want to know why it is as fast as it is.
#pragma once

#include <optional>
#include <string>

#include "base/status.h"
#include "compiler/codegen/hot_loop.h"
#include "search_space/space.h"

namespace tilth {

struct KernelExplanation {
  std::string program;          // the loops, as text
  std::optional<HotLoop> loop;  // nothing: the kernel has no loop
  double flops = 0, bytes = 0;  // per run; compulsory bytes
  double peak_gflops = 0;       // of one core, from the target's description: a nominal clock
  double FlopsPerByte() const { return flops / bytes; }
};

// INVALID_ARGUMENT if the candidate is not of this space, otherwise the errors of lowering and code generation.
StatusOr<KernelExplanation> ExplainKernel(const SearchSpace& space, const Candidate& candidate);

}  // namespace tilth
