// LoopProgram → machine code → shared object, in this process: LLVM for the code, lld for the link.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "ir/loop_program.h"
#include "ir/target.h"

namespace tilth {

// Raised when generated code changes for the same program; part of every tuning record.
inline constexpr int kCodegenVersion = 5;

struct CodegenOptions {
  // Prefix of every symbol, so that many kernels can live in one library. Empty for a standalone artifact.
  std::string symbol_prefix;
  bool skip_prepare_phases = false;  // when a library embeds weights that are packed already
};

// Where the time of one generation went, in seconds.
struct CodegenTimes {
  double emit_s = 0;      // LoopProgram to IR
  double optimise_s = 0;  // passes on IR
  double machine_s = 0;   // IR to machine code in an object
};

// A relocatable object exporting one data symbol `<symbol_prefix>tilth_kernel` (compiler/runtime/kernel_abi.h). With
// skip_prepare_phases the descriptor lists run phases only; buffers keep their positions.
// Errors: INVALID_ARGUMENT for a program the generator cannot express. Thread-safe. `times`, if not null, is filled on
// success.
StatusOr<std::string> GenerateObject(const LoopProgram& program, const Target& target,
                                     const CodegenOptions& options = {}, CodegenTimes* times = nullptr);

// The assembly text of the same object, for people.
StatusOr<std::string> GenerateAssembly(const LoopProgram& program, const Target& target);

// Links relocatable objects (and nothing else: no libc, no crt) into a position-independent shared object.
// `exported` symbols stay visible (all, if empty). `needed` are sonames recorded as DT_NEEDED, e.g. "libc.so.6".
// Calls are serialised inside: lld keeps global state.
StatusOr<std::string> LinkSharedObject(const std::vector<std::string>& objects, const Target& target,
                                       const std::vector<std::string>& exported = {},
                                       const std::vector<std::string>& needed = {});

}  // namespace tilth
