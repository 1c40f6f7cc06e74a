#include "compiler/package/constant_packer.h"

#include <dlfcn.h>
#include <sys/mman.h>

#include <cstdlib>
#include <cstring>

#include "base/posix.h"
#include "compiler/codegen/codegen.h"
#include "compiler/runtime/kernel_abi.h"
#include "ir/target.h"

namespace tilth {
namespace {

struct Freer {
  void operator()(void* memory) const { std::free(memory); }
};
using AlignedBytes = std::unique_ptr<void, Freer>;

AlignedBytes AllocateZeroed(int64_t bytes) {
  const size_t size = (static_cast<size_t>(bytes) / TILTH_BUFFER_ALIGNMENT + 1) * TILTH_BUFFER_ALIGNMENT;
  AlignedBytes memory(std::aligned_alloc(TILTH_BUFFER_ALIGNMENT, size));
  TILTH_CHECK(memory != nullptr);
  std::memset(memory.get(), 0, size);  // slack is stored in the library too: the same bytes every time
  return memory;
}

// dlopen from memory: nothing is left behind in any directory.
StatusOr<void*> LoadSharedObject(std::string_view bytes) {
  const UniqueFd file(memfd_create("tilth-pack", MFD_CLOEXEC));
  if (!file.valid()) return ErrnoStatus("memfd_create");
  TILTH_RETURN_IF_ERROR(WriteAll(file.get(), bytes), "writing a shared object to memory");
  void* const handle = dlopen(StrCat("/proc/self/fd/", file.get()).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return absl::InternalError(StrCat("loading generated code: ", dlerror()));
  return handle;
}

}  // namespace

struct ConstantPacker::Loaded {
  void* handle = nullptr;
  const TilthKernel* kernel = nullptr;
  std::vector<LoopBuffer> buffers;  // of the program

  ~Loaded() {
    if (handle != nullptr) dlclose(handle);
  }
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
  TILTH_ASSIGN_OR_RETURN(packer->loaded_->handle, LoadSharedObject(library));
  packer->loaded_->kernel = static_cast<const TilthKernel*>(dlsym(packer->loaded_->handle, TILTH_KERNEL_SYMBOL));
  TILTH_CHECK(packer->loaded_->kernel != nullptr);
  TILTH_CHECK(packer->loaded_->kernel->abi_version == TILTH_KERNEL_ABI_VERSION);
  TILTH_CHECK(packer->loaded_->kernel->num_phases == prepare.phases.size());
  packer->loaded_->buffers = program.buffers;
  return packer;
}

ConstantPacker::~ConstantPacker() = default;

std::vector<std::string> ConstantPacker::Pack(const std::vector<const void*>& constants) const {
  const TilthKernel& kernel = *loaded_->kernel;
  const std::vector<LoopBuffer>& buffers = loaded_->buffers;
  std::vector<AlignedBytes> owned(buffers.size());
  std::vector<void*> arguments;
  for (size_t b = 0; b < buffers.size(); ++b) {
    if (!IsKernelArgument(buffers[b])) continue;
    if (buffers[b].scope == BufferScope::kPacked) {
      owned[b] = AllocateZeroed(AllocatedBytes(buffers[b]));
      arguments.push_back(owned[b].get());
    } else {
      arguments.push_back(const_cast<void*>(constants[b]));  // prepare phases only read them
    }
  }
  for (uint32_t p = 0; p < kernel.num_phases; ++p) {
    const TilthPhase& phase = kernel.phases[p];
    const AlignedBytes scratch = AllocateZeroed(phase.scratch_bytes);
    for (int64_t task = 0; task < phase.num_tasks; ++task) phase.run(arguments.data(), task, scratch.get());
  }
  std::vector<std::string> packed(buffers.size());
  for (size_t b = 0; b < buffers.size(); ++b) {
    if (owned[b] == nullptr) continue;
    packed[b].assign(static_cast<const char*>(owned[b].get()), static_cast<size_t>(AllocatedBytes(buffers[b])));
  }
  return packed;
}

}  // namespace tilth
