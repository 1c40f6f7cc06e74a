// What the innermost loop of a kernel costs a core, told without running it: by its assembly and LLVM's machine-code
// analyser.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "ir/loop_program.h"
#include "ir/target.h"

namespace tilth {

struct HotLoop {
  std::vector<std::string> assembly;  // one instruction each, AT&T syntax on x86
  int fma_instructions = 0;           // multiply-adds of the widest registers that the loop uses
  int fma_lanes = 0;                  // f32 of each
  // Accesses to the stack: registers that did not suffice.
  int stack_loads = 0, stack_stores = 0;
  // By the scheduling model that LLVM has for the target's CPU, with every load in the first cache.
  double cycles_per_iteration = 0;
  double fma_per_cycle = 0;
  double peak_fma_per_cycle = 0;  // of independent multiply-adds alone, by the same model

  double FmaFraction() const { return peak_fma_per_cycle > 0 ? fma_per_cycle / peak_fma_per_cycle : 0; }
};

// Of the loops without loops inside them, that have multiply-adds, the one inside the most others, then the one with
// the most multiply-adds; without any, the longest. NOT_FOUND if the kernel has no loop. Thread-safe.
StatusOr<HotLoop> FindHotLoop(const LoopProgram& program, const Target& target);

// The same in assembly text as GenerateAssembly makes it.
StatusOr<HotLoop> FindHotLoop(const std::string& assembly, const Target& target);

}  // namespace tilth
