#include "compiler/package/memory_planner.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "base/math.h"

namespace tilth {
namespace {

bool LiveTogether(const BufferLifetime& a, const BufferLifetime& b) {
  return a.first_call <= b.last_call && b.first_call <= a.last_call;
}

// The start of the smallest gap of at least `size` between the `taken` intervals (begin, end), or their end.
int64_t TightestGap(std::vector<std::pair<int64_t, int64_t>> taken, int64_t size) {
  std::sort(taken.begin(), taken.end());
  int64_t best_offset = -1;
  int64_t best_gap = std::numeric_limits<int64_t>::max();
  int64_t free_from = 0;
  for (const auto& [begin, end] : taken) {
    const int64_t gap = begin - free_from;
    if (gap >= size && gap < best_gap) {
      best_gap = gap;
      best_offset = free_from;
    }
    free_from = std::max(free_from, end);
  }
  return best_offset >= 0 ? best_offset : free_from;
}

}  // namespace

MemoryPlan PlanMemory(const std::vector<BufferLifetime>& buffers, int64_t alignment) {
  MemoryPlan plan;
  plan.offsets.assign(buffers.size(), 0);
  std::vector<size_t> order(buffers.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return buffers[a].size_bytes > buffers[b].size_bytes; });

  std::vector<size_t> placed;
  for (const size_t index : order) {
    const BufferLifetime& buffer = buffers[index];
    const int64_t size = RoundUp(buffer.size_bytes, alignment);
    std::vector<std::pair<int64_t, int64_t>> taken;
    for (const size_t other : placed) {
      if (!LiveTogether(buffer, buffers[other])) continue;
      taken.emplace_back(plan.offsets[other], plan.offsets[other] + RoundUp(buffers[other].size_bytes, alignment));
    }
    plan.offsets[index] = TightestGap(std::move(taken), size);
    plan.arena_bytes = std::max(plan.arena_bytes, plan.offsets[index] + size);
    placed.push_back(index);
  }
  return plan;
}

}  // namespace tilth
