// Places buffers with known lifetimes into one arena, so that buffers which never live at the same time share bytes.
#pragma once

#include <cstdint>
#include <vector>

namespace tilth {

// A buffer that lives from call `first_call` to call `last_call`, both included.
struct BufferLifetime {
  int64_t size_bytes = 0;
  int first_call = 0;
  int last_call = 0;
};

struct MemoryPlan {
  std::vector<int64_t> offsets;  // bytes, one per buffer, multiples of the alignment
  int64_t arena_bytes = 0;       // a multiple of the alignment
};

// Greedy by size: the largest buffer first, each into the tightest gap that is free through its whole life. Usually
// within a few percent of the lower bound (the most bytes that live at once). Deterministic; O(n^2 log n).
MemoryPlan PlanMemory(const std::vector<BufferLifetime>& buffers, int64_t alignment = 64);

}  // namespace tilth
