// A kernel with memory: its buffers allocated behind guard pages, filled with test data, and its phases run.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "compiler/runtime/kernel_abi.h"
#include "rpc_agent/runner/guarded_buffer.h"

namespace tilth::runner {

class KernelInstance {
 public:
  // `kernel` must outlive the instance.
  explicit KernelInstance(const TilthKernel& kernel) : kernel_(kernel) {}

  // False when there is not enough memory.
  bool Allocate();

  // Fills INPUT and CONSTANT buffers for `seed` (proto/measure.proto describes how) and makes them read-only; poisons
  // all others.
  void Fill(uint64_t seed, const std::vector<int64_t>& value_bounds);

  // Runs every phase of `kind` (TilthPhaseKind), tasks in order on this thread. After the prepare phases the packed
  // buffers are read-only, too.
  void Run(int32_t kind);

  // The index of a buffer whose surroundings the kernel has changed; -1: none.
  int FindOverrun() const;

  const void* data(int index) const { return buffers_[static_cast<size_t>(index)].data(); }

 private:
  const TilthKernel& kernel_;
  std::vector<GuardedBuffer> buffers_;  // as kernel_.buffers, then one for scratch
  std::vector<void*> pointers_;         // as kernel_.buffers
};

}  // namespace tilth::runner
