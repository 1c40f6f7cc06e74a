#include "compiler/loaded_kernel.h"

#include <dlfcn.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "base/posix.h"

namespace tilth {

AlignedBytes AllocateAligned(int64_t bytes) {
  const size_t size = (static_cast<size_t>(bytes) / TILTH_BUFFER_ALIGNMENT + 1) * TILTH_BUFFER_ALIGNMENT;
  AlignedBytes memory(std::aligned_alloc(TILTH_BUFFER_ALIGNMENT, size));
  TILTH_CHECK(memory != nullptr);
  std::memset(memory.get(), 0, size);
  return memory;
}

StatusOr<std::unique_ptr<LoadedKernel>> LoadedKernel::Load(std::string_view shared_object) {
  std::unique_ptr<LoadedKernel> loaded(new LoadedKernel);
  loaded->file_ = UniqueFd(memfd_create("tilth-kernel", MFD_CLOEXEC));
  if (!loaded->file_.valid()) return ErrnoStatus("memfd_create");
  TILTH_RETURN_IF_ERROR(WriteAll(loaded->file_.get(), shared_object), "writing a shared object to memory");
  loaded->handle_ = dlopen(StrCat("/proc/self/fd/", loaded->file_.get()).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (loaded->handle_ == nullptr) return absl::InvalidArgumentError(StrCat("loading a kernel: ", dlerror()));
  loaded->kernel_ = static_cast<const TilthKernel*>(dlsym(loaded->handle_, TILTH_KERNEL_SYMBOL));
  if (loaded->kernel_ == nullptr || loaded->kernel_->magic != TILTH_KERNEL_MAGIC)
    return absl::InvalidArgumentError("loading a kernel: the shared object exports none");
  if (loaded->kernel_->abi_version != TILTH_KERNEL_ABI_VERSION)
    return absl::InvalidArgumentError(StrCat("loading a kernel: it has ABI version ", loaded->kernel_->abi_version,
                                             ", this program ", TILTH_KERNEL_ABI_VERSION));
  int64_t scratch_bytes = 0;
  for (uint32_t p = 0; p < loaded->kernel_->num_phases; ++p)
    scratch_bytes = std::max(scratch_bytes, loaded->kernel_->phases[p].scratch_bytes);
  loaded->scratch_ = AllocateAligned(scratch_bytes);
  return loaded;
}

LoadedKernel::~LoadedKernel() {
  if (handle_ != nullptr) dlclose(handle_);
}

void LoadedKernel::Run(TilthPhaseKind kind, void* const* buffers) const {
  for (uint32_t p = 0; p < kernel_->num_phases; ++p) {
    const TilthPhase& phase = kernel_->phases[p];
    if (phase.kind != kind) continue;
    for (int64_t task = 0; task < phase.num_tasks; ++task) phase.run(buffers, task, scratch_.get());
  }
}

}  // namespace tilth
