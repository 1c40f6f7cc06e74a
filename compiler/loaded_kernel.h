// A kernel artifact loaded into this process: for packing weights at build time, benchmarks and tests. Untrusted or
// unverified artifacts belong into the agent's runner, which is a process of its own.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "base/posix.h"
#include "base/status.h"
#include "compiler/runtime/kernel_abi.h"

namespace tilth {

struct FreeDeleter {
  void operator()(void* memory) const { std::free(memory); }
};
using AlignedBytes = std::unique_ptr<void, FreeDeleter>;

// Zeroed memory aligned to TILTH_BUFFER_ALIGNMENT; `bytes` may be 0.
AlignedBytes AllocateAligned(int64_t bytes);

// Immutable; the library is unloaded with the object.
class LoadedKernel {
 public:
  // dlopen from memory: nothing is left behind in any directory. Errors: no kernel in it, another ABI version.
  static StatusOr<std::unique_ptr<LoadedKernel>> Load(std::string_view shared_object);
  ~LoadedKernel();
  LoadedKernel(const LoadedKernel&) = delete;
  LoadedKernel& operator=(const LoadedKernel&) = delete;

  const TilthKernel& abi() const { return *kernel_; }

  // Runs every phase of `kind` on this thread; `buffers` has one pointer per entry of abi().buffers. Calls may overlap
  // only where the phases need no scratch, which is shared.
  void Run(TilthPhaseKind kind, void* const* buffers) const;

 private:
  LoadedKernel() = default;
  // Open as long as the library: dlopen knows libraries by path, and another file would get this one's.
  UniqueFd file_;
  void* handle_ = nullptr;
  const TilthKernel* kernel_ = nullptr;
  AlignedBytes scratch_;
};

}  // namespace tilth
