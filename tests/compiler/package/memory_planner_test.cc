#include "compiler/package/memory_planner.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/rng.h"

namespace tilth {
namespace {

bool LiveTogether(const BufferLifetime& a, const BufferLifetime& b) {
  return a.first_call <= b.last_call && b.first_call <= a.last_call;
}

void ExpectNoOverlap(const std::vector<BufferLifetime>& buffers, const MemoryPlan& plan) {
  for (size_t i = 0; i < buffers.size(); ++i) {
    EXPECT_EQ(plan.offsets[i] % 64, 0);
    EXPECT_LE(plan.offsets[i] + buffers[i].size_bytes, plan.arena_bytes);
    for (size_t j = 0; j < i; ++j) {
      if (!LiveTogether(buffers[i], buffers[j])) continue;
      EXPECT_TRUE(plan.offsets[i] + buffers[i].size_bytes <= plan.offsets[j] ||
                  plan.offsets[j] + buffers[j].size_bytes <= plan.offsets[i])
          << "buffers " << i << " and " << j;
    }
  }
}

TEST(MemoryPlanner, NoBuffersNeedNoArena) { EXPECT_EQ(PlanMemory({}).arena_bytes, 0); }

TEST(MemoryPlanner, ChainOfEqualTensorsNeedsTwoOfThem) {
  std::vector<BufferLifetime> chain;
  for (int call = 0; call < 20; ++call) chain.push_back({1 << 20, call, call + 1});
  const MemoryPlan plan = PlanMemory(chain);
  ExpectNoOverlap(chain, plan);
  EXPECT_EQ(plan.arena_bytes, 2 << 20);
}

TEST(MemoryPlanner, TensorReadMuchLaterKeepsItsBytes) {
  const std::vector<BufferLifetime> buffers = {{4096, 0, 10}, {4096, 1, 2}, {4096, 3, 4}, {8192, 5, 6}};
  const MemoryPlan plan = PlanMemory(buffers);
  ExpectNoOverlap(buffers, plan);
  EXPECT_EQ(plan.arena_bytes, 4096 + 8192);
}

TEST(MemoryPlanner, OddSizesStayAligned) {
  const std::vector<BufferLifetime> buffers = {{1, 0, 1}, {65, 0, 1}, {63, 0, 0}};
  const MemoryPlan plan = PlanMemory(buffers);
  ExpectNoOverlap(buffers, plan);
  EXPECT_EQ(plan.arena_bytes, 4 * 64);
}

TEST(MemoryPlanner, RandomLifetimesNeverOverlapAndStayNearTheLowerBound) {
  Rng rng(7);
  for (int round = 0; round < 50; ++round) {
    std::vector<BufferLifetime> buffers;
    for (int i = 0; i < 60; ++i) {
      const int first = static_cast<int>(rng.Below(80));
      buffers.push_back({static_cast<int64_t>(1 + rng.Below(100000)), first, first + static_cast<int>(rng.Below(8))});
    }
    const MemoryPlan plan = PlanMemory(buffers);
    ExpectNoOverlap(buffers, plan);
    int64_t lower_bound = 0;
    for (int call = 0; call < 90; ++call) {
      int64_t live = 0;
      for (const BufferLifetime& b : buffers) live += b.first_call <= call && call <= b.last_call ? b.size_bytes : 0;
      lower_bound = std::max(lower_bound, live);
    }
    EXPECT_LE(plan.arena_bytes, lower_bound * 3 / 2) << "round " << round;
  }
}

}  // namespace
}  // namespace tilth
