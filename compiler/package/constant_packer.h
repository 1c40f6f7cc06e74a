// Runs the prepare phases of a kernel at build time, on this machine, whatever target the kernel is for: a LoopProgram
// means the same bytes everywhere, so its prepare phases alone are compiled for the host and called.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "ir/loop_program.h"

namespace tilth {

// Immutable after Create; Pack may be called from several threads.
class ConstantPacker {
 public:
  // Compiles the prepare phases of `program` and loads them into this process.
  static StatusOr<std::unique_ptr<ConstantPacker>> Create(const LoopProgram& program);
  ~ConstantPacker();
  ConstantPacker(const ConstantPacker&) = delete;
  ConstantPacker& operator=(const ConstantPacker&) = delete;

  // `constants` has one pointer per buffer of the program: those of constants point at their dense bytes, the rest is
  // ignored. Returns the bytes of every packed buffer, and nothing for the others.
  std::vector<std::string> Pack(const std::vector<const void*>& constants) const;

 private:
  ConstantPacker() = default;

  struct Loaded;
  std::unique_ptr<Loaded> loaded_;
};

// Whether a buffer of a program has an entry in the kernel's `buffers` (compiler/runtime/kernel_abi.h).
bool IsKernelArgument(const LoopBuffer& buffer);

// Bytes to allocate for a buffer: its elements and the slack that vector accesses may touch.
int64_t AllocatedBytes(const LoopBuffer& buffer);

}  // namespace tilth
