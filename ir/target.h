// Target: what code is generated for. Described by feature bits and a memory hierarchy, never by a marketing name.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace tilth {

enum class Arch : uint8_t { kX86_64, kAArch64 };

struct Target {
  std::string name;  // preset it came from, or "native"; for people
  Arch arch = Arch::kX86_64;
  std::string triple;     // "x86_64-unknown-linux-gnu"
  std::string cpu;        // LLVM scheduling model, "generic" when unknown
  std::string features;   // LLVM attribute string "+avx2,+fma,…", sorted
  int vector_bytes = 16;  // widest vector register used: 64 AVX-512, 32 AVX2, 16 NEON
  int vector_registers = 16;
  bool masked_vectors = false;  // loads and stores under a lane mask are cheap (AVX-512)
  int fma_per_cycle = 2;        // full-width vector FMAs per cycle and core; an estimate where unknown
  int64_t l1_bytes = 32 << 10, l2_bytes = 512 << 10, l3_bytes = 0;  // per core, per core, shared
  int cores = 1;
  double clock_ghz = 2.0;  // nominal, for the prior and for roofline ratios only
};

// "native", a preset (see TargetPresets()), or "KEY=VALUE,…" on top of one: "rpi4,cores=2". An unknown name or key is
// an error that lists what there is.
StatusOr<Target> ParseTarget(std::string_view text);
std::vector<std::string> TargetPresets();

// FMAs per cycle on vectors of `lanes` f32: a core that executes the widest vectors one by one, in halves, executes two
// half as wide at once.
int FmasPerCycle(const Target& target, int lanes);

// Whether code for `target` can run in this process.
bool RunsOnThisMachine(const Target& target);

// Canonical "key=value" lines of everything that changes generated code or the search space; ParseTarget-able keys.
std::string ToText(const Target& target);
std::string TargetHash(const Target& target);

}  // namespace tilth
