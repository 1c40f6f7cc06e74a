#include "rpc_agent/runner/kernel_library.h"

#include <dlfcn.h>
#include <elf.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>

namespace tilth::runner {
namespace {

// More than any board has, little enough that no sum of sizes overflows.
constexpr int64_t kMaxBufferBytes = int64_t{1} << 40;
constexpr uint32_t kMaxBuffers = 4096, kMaxPhases = 4096;

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

std::string CheckBuffer(const TilthBuffer& buffer, uint32_t index) {
  const std::string place = "buffer " + std::to_string(index) + ": ";
  if (buffer.kind < TILTH_BUFFER_INPUT || buffer.kind > TILTH_BUFFER_WORKSPACE) {
    return place + "unknown kind " + std::to_string(buffer.kind);
  }
  const int64_t element_bytes = ElementBytes(buffer.dtype);
  if (element_bytes == 0) return place + "unknown element type " + std::to_string(buffer.dtype);
  if (buffer.num_elements < 0 || buffer.size_bytes > kMaxBufferBytes ||
      buffer.num_elements > buffer.size_bytes / element_bytes) {
    return place + std::to_string(buffer.num_elements) + " elements do not fit its " +
           std::to_string(buffer.size_bytes) + " bytes";
  }
  return "";
}

std::string CheckKernel(const TilthKernel& kernel) {
  if (kernel.magic != TILTH_KERNEL_MAGIC)
    return "its symbol " TILTH_KERNEL_SYMBOL " is not a Tilth kernel (wrong magic)";
  if (kernel.abi_version != TILTH_KERNEL_ABI_VERSION) {
    return "it has kernel ABI version " + std::to_string(kernel.abi_version) + ", this runner understands version " +
           std::to_string(TILTH_KERNEL_ABI_VERSION) + "; compiler and agent must be of the same release";
  }
  if (kernel.num_buffers > kMaxBuffers || kernel.num_phases > kMaxPhases) return "it has too many buffers or phases";
  for (uint32_t i = 0; i < kernel.num_buffers; ++i) {
    if (std::string error = CheckBuffer(kernel.buffers[i], i); !error.empty()) return error;
  }
  for (uint32_t i = 0; i < kernel.num_phases; ++i) {
    const TilthPhase& phase = kernel.phases[i];
    const bool known = phase.kind == TILTH_PHASE_PREPARE || phase.kind == TILTH_PHASE_RUN;
    if (!known || phase.run == nullptr || phase.num_tasks < 0 || phase.scratch_bytes < 0 ||
        phase.scratch_bytes > kMaxBufferBytes) {
      return "phase " + std::to_string(i) + " is malformed";
    }
  }
  return "";
}

}  // namespace

int64_t ElementBytes(int32_t dtype) {
  switch (dtype) {
    case TILTH_F32:
    case TILTH_I32:
      return 4;
    case TILTH_F16:
    case TILTH_BF16:
      return 2;
    case TILTH_I8:
    case TILTH_BOOL:
      return 1;
    case TILTH_I64:
      return 8;
    default:
      return 0;
  }
}

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
