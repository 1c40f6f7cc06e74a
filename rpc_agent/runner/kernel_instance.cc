#include "rpc_agent/runner/kernel_instance.h"

#include <algorithm>
#include <cstring>

#include "base/rng.h"
#include "rpc_agent/runner/half.h"

namespace tilth::runner {
namespace {

template <typename T, typename Make>
void FillWith(void* data, int64_t num_elements, Make make) {
  T* out = static_cast<T*>(data);
  for (int64_t i = 0; i < num_elements; ++i) out[i] = static_cast<T>(make(static_cast<uint64_t>(i)));
}

bool IsShared(int32_t kind) {
  return kind == TILTH_BUFFER_INPUT || kind == TILTH_BUFFER_CONSTANT || kind == TILTH_BUFFER_OUTPUT;
}

}  // namespace

void FillTestData(void* data, int32_t dtype, int64_t num_elements, uint64_t stream, int64_t value_bound) {
  const auto uniform = [stream](uint64_t i) { return CounterUniform(stream, i); };
  const auto integer = [stream, value_bound](uint64_t i) -> int64_t {
    const uint64_t span = value_bound > 0 ? static_cast<uint64_t>(value_bound) : 200;
    const uint64_t bits = MixBits(stream ^ MixBits(i));
    const auto scaled = static_cast<int64_t>((static_cast<unsigned __int128>(bits) * span) >> 64);
    return value_bound > 0 ? scaled : scaled - 100;
  };
  switch (dtype) {
    case TILTH_F32:
      return FillWith<float>(data, num_elements, uniform);
    case TILTH_F16:
      return FillWith<uint16_t>(data, num_elements, [&](uint64_t i) { return FloatToHalf(uniform(i)); });
    case TILTH_BF16:
      return FillWith<uint16_t>(data, num_elements, [&](uint64_t i) { return FloatToBFloat16(uniform(i)); });
    case TILTH_I8:
      return FillWith<int8_t>(data, num_elements, integer);
    case TILTH_I32:
      return FillWith<int32_t>(data, num_elements, integer);
    case TILTH_I64:
      return FillWith<int64_t>(data, num_elements, integer);
    case TILTH_BOOL:
      return FillWith<uint8_t>(data, num_elements, [&](uint64_t i) { return uniform(i) < 0 ? 0 : 1; });
    default:
      return;
  }
}

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
      std::memset(pointers_[i], 0, static_cast<size_t>(buffer.size_bytes));
      FillTestData(pointers_[i], buffer.dtype, buffer.num_elements, CombineHash(seed, shared_index), bound);
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
