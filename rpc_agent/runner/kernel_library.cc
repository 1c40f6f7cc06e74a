#include "rpc_agent/runner/kernel_library.h"

#include <dlfcn.h>
#include <elf.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>

#include "rpc_agent/runner/buffer_table.h"

namespace tilth::runner {
namespace {

constexpr uint32_t kMaxPhases = 4096;
constexpr int64_t kMaxScratchBytes = int64_t{1} << 40;

#if defined(__x86_64__)
constexpr int kElfMachine = EM_X86_64;
#else
constexpr int kElfMachine = EM_AARCH64;
#endif

// dlopen says of a shared object for another machine that there is no such file.
std::string CheckMachine(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
  Elf64_Ehdr header;
  if (file == nullptr || std::fread(&header, sizeof header, 1, file.get()) != 1) return "";
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_machine == kElfMachine) return "";
  return "it is for another machine (ELF machine " + std::to_string(header.e_machine) + ", this device is " +
         std::to_string(kElfMachine) + "); tune for the device's own target";
}

std::string CheckKernel(const TilthKernel& kernel) {
  if (kernel.magic != TILTH_KERNEL_MAGIC)
    return "its symbol " TILTH_KERNEL_SYMBOL " is not a Tilth kernel (wrong magic)";
  if (kernel.abi_version != TILTH_KERNEL_ABI_VERSION) {
    return "it has kernel ABI version " + std::to_string(kernel.abi_version) + ", this runner understands version " +
           std::to_string(TILTH_KERNEL_ABI_VERSION) + "; compiler and agent must be of the same release";
  }
  if (std::string error = CheckBuffers(kernel.buffers, kernel.num_buffers); !error.empty()) return error;
  if (kernel.num_phases > kMaxPhases) return "it has too many phases";
  for (uint32_t i = 0; i < kernel.num_phases; ++i) {
    const TilthPhase& phase = kernel.phases[i];
    const bool known = phase.kind == TILTH_PHASE_PREPARE || phase.kind == TILTH_PHASE_RUN;
    if (!known || phase.run == nullptr || phase.num_tasks < 0 || phase.scratch_bytes < 0 ||
        phase.scratch_bytes > kMaxScratchBytes) {
      return "phase " + std::to_string(i) + " is malformed";
    }
  }
  return "";
}

}  // namespace

const TilthKernel* OpenKernel(const std::string& path, std::string* error) {
  if (std::string problem = CheckMachine(path); !problem.empty()) {
    *error = "the artifact cannot be loaded: " + problem;
    return nullptr;
  }
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    *error = std::string("the artifact cannot be loaded: ") + dlerror();
    return nullptr;
  }
  const auto* kernel = static_cast<const TilthKernel*>(dlsym(library, TILTH_KERNEL_SYMBOL));
  if (kernel == nullptr) {
    *error = "the artifact exports no symbol " TILTH_KERNEL_SYMBOL;
    return nullptr;
  }
  if (std::string problem = CheckKernel(*kernel); !problem.empty()) {
    *error = "the artifact cannot be used: " + problem;
    return nullptr;
  }
  return kernel;
}

}  // namespace tilth::runner
