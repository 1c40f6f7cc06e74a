#include "tests/compiler/lower/schedule_harness.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "compiler/codegen/codegen.h"
#include "compiler/loaded_kernel.h"

namespace tilth {

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
  TILTH_ASSIGN_OR_RETURN(auto kernel, LoadedKernel::Load(library));
  std::vector<AlignedBytes> memory;
  std::vector<void*> buffers;
  for (uint32_t i = 0; i < kernel->abi().num_buffers; ++i) {
    const int64_t bytes = kernel->abi().buffers[i].size_bytes;
    memory.push_back(AllocateAligned(bytes));
    buffers.push_back(memory.back().get());
    if (i < arguments->size())
      std::memcpy(buffers[i], (*arguments)[i].bytes.data(), (*arguments)[i].bytes.size());
    else
      std::memset(buffers[i], 0xff, bytes);  // NaN: a schedule that reads what it never wrote shows
  }
  kernel->Run(TILTH_PHASE_PREPARE, buffers.data());
  kernel->Run(TILTH_PHASE_RUN, buffers.data());
  for (size_t i = 0; i < arguments->size(); ++i)
    std::memcpy((*arguments)[i].bytes.data(), buffers[i], (*arguments)[i].bytes.size());
  return absl::OkStatus();
}

}  // namespace tilth
