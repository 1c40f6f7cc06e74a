#include "compiler/package/constant_packer.h"

#include "compiler/codegen/codegen.h"
#include "compiler/loaded_kernel.h"
#include "ir/target.h"

namespace tilth {

struct ConstantPacker::Loaded {
  std::unique_ptr<LoadedKernel> kernel;  // prepare phases only
  std::vector<LoopBuffer> buffers;       // of the program
};

int64_t AllocatedBytes(const LoopBuffer& buffer) {
  return (buffer.num_elements + buffer.slack_elements) * SizeInBytes(buffer.dtype);
}

bool IsKernelArgument(const LoopBuffer& buffer) {
  return buffer.scope != BufferScope::kScratch && buffer.scope != BufferScope::kRegister;
}

StatusOr<std::unique_ptr<ConstantPacker>> ConstantPacker::Create(const LoopProgram& program) {
  LoopProgram prepare = program;
  std::erase_if(prepare.phases, [](const LoopPhase& phase) { return !phase.prepare; });
  TILTH_ASSIGN_OR_RETURN(const Target host, ParseTarget("native"));
  TILTH_ASSIGN_OR_RETURN(const std::string object, GenerateObject(prepare, host), "compiling the packing of weights");
  TILTH_ASSIGN_OR_RETURN(const std::string library, LinkSharedObject({object}, host, {TILTH_KERNEL_SYMBOL}),
                         "linking the packing of weights");
  std::unique_ptr<ConstantPacker> packer(new ConstantPacker);
  packer->loaded_ = std::make_unique<Loaded>();
  TILTH_ASSIGN_OR_RETURN(packer->loaded_->kernel, LoadedKernel::Load(library));
  packer->loaded_->buffers = program.buffers;
  return packer;
}

ConstantPacker::~ConstantPacker() = default;

std::vector<std::string> ConstantPacker::Pack(const std::vector<const void*>& constants) const {
  const std::vector<LoopBuffer>& buffers = loaded_->buffers;
  std::vector<AlignedBytes> owned(buffers.size());
  std::vector<void*> arguments;
  for (size_t b = 0; b < buffers.size(); ++b) {
    if (!IsKernelArgument(buffers[b])) continue;
    if (buffers[b].scope == BufferScope::kPacked) {
      // Zeroed: slack is stored in the library too, the same bytes every time.
      owned[b] = AllocateAligned(AllocatedBytes(buffers[b]));
      arguments.push_back(owned[b].get());
    } else {
      arguments.push_back(const_cast<void*>(constants[b]));  // prepare phases only read them
    }
  }
  loaded_->kernel->Run(TILTH_PHASE_PREPARE, arguments.data());
  std::vector<std::string> packed(buffers.size());
  for (size_t b = 0; b < buffers.size(); ++b) {
    if (owned[b] == nullptr) continue;
    packed[b].assign(static_cast<const char*>(owned[b].get()), static_cast<size_t>(AllocatedBytes(buffers[b])));
  }
  return packed;
}

}  // namespace tilth
