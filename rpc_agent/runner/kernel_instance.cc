#include "rpc_agent/runner/kernel_instance.h"

#include <algorithm>
#include <cstring>

#include "base/hash.h"
#include "rpc_agent/runner/buffer_table.h"
#include "rpc_agent/runner/test_data.h"

namespace tilth::runner {
namespace {

bool IsShared(int32_t kind) {
  return kind == TILTH_BUFFER_INPUT || kind == TILTH_BUFFER_CONSTANT || kind == TILTH_BUFFER_OUTPUT;
}

}  // namespace

bool KernelInstance::Allocate() {
  int64_t scratch_bytes = 0;
  for (uint32_t i = 0; i < kernel_.num_phases; ++i) {
    scratch_bytes = std::max(scratch_bytes, kernel_.phases[i].scratch_bytes);
  }
  buffers_.reserve(kernel_.num_buffers + 1);
  for (uint32_t i = 0; i <= kernel_.num_buffers; ++i) {
    buffers_.emplace_back(i < kernel_.num_buffers ? kernel_.buffers[i].size_bytes : scratch_bytes);
    if (!buffers_.back().ok()) return false;
    if (i < kernel_.num_buffers) pointers_.push_back(buffers_.back().data());
  }
  return true;
}

void KernelInstance::Fill(uint64_t seed, const std::vector<int64_t>& value_bounds) {
  uint64_t shared_index = 0;
  size_t given_index = 0;
  for (uint32_t i = 0; i < kernel_.num_buffers; ++i) {
    const TilthBuffer& buffer = kernel_.buffers[i];
    if (buffer.kind == TILTH_BUFFER_INPUT || buffer.kind == TILTH_BUFFER_CONSTANT) {
      const int64_t bound = given_index < value_bounds.size() ? value_bounds[given_index] : 0;
      ++given_index;
      const int64_t filled = buffer.num_elements * ElementBytes(buffer.dtype);
      FillTestData(pointers_[i], buffer.dtype, buffer.num_elements, CombineHash(seed, shared_index), bound);
      std::memset(static_cast<char*>(pointers_[i]) + filled, 0, static_cast<size_t>(buffer.size_bytes - filled));
      buffers_[i].MakeReadOnly();
    } else {
      buffers_[i].Poison();
    }
    if (IsShared(buffer.kind)) ++shared_index;
  }
  buffers_.back().Poison();
}

void KernelInstance::Run(int32_t kind) {
  void* scratch = buffers_.back().data();
  for (uint32_t p = 0; p < kernel_.num_phases; ++p) {
    const TilthPhase& phase = kernel_.phases[p];
    if (phase.kind != kind) continue;
    for (int64_t task = 0; task < phase.num_tasks; ++task) phase.run(pointers_.data(), task, scratch);
  }
  if (kind != TILTH_PHASE_PREPARE) return;
  for (uint32_t i = 0; i < kernel_.num_buffers; ++i) {
    if (kernel_.buffers[i].kind == TILTH_BUFFER_PACKED) buffers_[i].MakeReadOnly();
  }
}

int KernelInstance::FindOverrun() const {
  for (size_t i = 0; i < buffers_.size(); ++i) {
    if (!buffers_[i].SlackIntact()) return static_cast<int>(i);
  }
  return -1;
}

}  // namespace tilth::runner
