#include "tests/compiler/lower/schedule_harness.h"

#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "compiler/codegen/codegen.h"
#include "compiler/runtime/kernel_abi.h"

namespace tilth {
namespace {

struct Free {
  void operator()(void* p) const { std::free(p); }
};
using Memory = std::unique_ptr<void, Free>;

Memory Allocate(int64_t bytes) {
  const int64_t rounded = (bytes + 127) / 64 * 64;
  Memory memory(std::aligned_alloc(64, rounded));
  std::memset(memory.get(), 0xff, rounded);
  return memory;
}

}  // namespace

ReferenceCase MakeCase(const std::string& text, uint64_t seed) {
  ReferenceCase c;
  StatusOr<Workload> workload = ParseWorkload(text);
  TILTH_CHECK(workload.ok());
  c.workload = *std::move(workload);
  for (size_t i = 0; i < c.workload.tensors.size(); ++i)
    c.values.push_back(RandomValue(c.workload.tensors[i], seed, static_cast<int>(i)));
  const Status status = Interpret(c.workload, &c.values);
  TILTH_CHECK(status.ok());
  return c;
}

std::vector<TensorValue> ArgumentsOf(const ReferenceCase& reference) {
  std::vector<TensorValue> arguments;
  for (size_t i = 0; i < reference.values.size(); ++i) {
    const TensorRole role = reference.workload.tensors[i].role;
    if (role == TensorRole::kTemporary) continue;
    arguments.push_back(reference.values[i]);
    if (role == TensorRole::kOutput) std::fill(arguments.back().bytes.begin(), arguments.back().bytes.end(), 0);
  }
  return arguments;
}

Status CompareOutputs(const ReferenceCase& reference, const std::vector<TensorValue>& arguments, double rtol,
                      double atol) {
  size_t next = 0;
  for (size_t t = 0; t < reference.values.size(); ++t) {
    if (reference.workload.tensors[t].role == TensorRole::kTemporary) continue;
    const TensorValue& got = arguments[next++];
    if (reference.workload.tensors[t].role != TensorRole::kOutput) continue;
    const TensorValue& want = reference.values[t];
    for (int64_t i = 0; i < NumElements(want.shape); ++i) {
      const double a = got.Get(i), b = want.Get(i);
      if (a == b || std::fabs(a - b) <= atol + rtol * std::fabs(b) || (std::isnan(a) && std::isnan(b))) continue;
      return absl::DataLossError(StrCat("output t", t, " element ", i, ": got ", a, ", expected ", b));
    }
  }
  return absl::OkStatus();
}

Status RunNative(const LoopProgram& program, const Target& target, std::vector<TensorValue>* arguments) {
  TILTH_ASSIGN_OR_RETURN(std::string object, GenerateObject(program, target));
  TILTH_ASSIGN_OR_RETURN(std::string library, LinkSharedObject({object}, target));
  const int fd = memfd_create("kernel", 0);
  if (write(fd, library.data(), library.size()) != static_cast<ssize_t>(library.size()))
    return absl::InternalError("short write");
  void* handle = dlopen(StrCat("/proc/self/fd/", fd).c_str(), RTLD_NOW | RTLD_LOCAL);
  close(fd);
  if (!handle) return absl::InternalError(dlerror());
  const auto* kernel = static_cast<const TilthKernel*>(dlsym(handle, TILTH_KERNEL_SYMBOL));
  if (!kernel || kernel->magic != TILTH_KERNEL_MAGIC) return absl::InternalError("no kernel descriptor");
  std::vector<Memory> memory;
  std::vector<void*> buffers;
  for (uint32_t i = 0; i < kernel->num_buffers; ++i) {
    memory.push_back(Allocate(kernel->buffers[i].size_bytes));
    buffers.push_back(memory.back().get());
    if (i < arguments->size()) std::memcpy(buffers[i], (*arguments)[i].bytes.data(), (*arguments)[i].bytes.size());
  }
  for (uint32_t p = 0; p < kernel->num_phases; ++p) {
    const TilthPhase& phase = kernel->phases[p];
    Memory scratch = Allocate(phase.scratch_bytes);
    for (int64_t task = 0; task < phase.num_tasks; ++task) phase.run(buffers.data(), task, scratch.get());
  }
  for (size_t i = 0; i < arguments->size(); ++i)
    std::memcpy((*arguments)[i].bytes.data(), buffers[i], (*arguments)[i].bytes.size());
  dlclose(handle);
  return absl::OkStatus();
}

}  // namespace tilth
