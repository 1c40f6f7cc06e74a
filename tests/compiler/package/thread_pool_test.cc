// The thread pool of model libraries, compiled for this machine.
#include "compiler/runtime/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

namespace tilth {
namespace {

struct PoolDeleter {
  void operator()(TilthPool* pool) const { TilthPoolDestroy(pool); }
};
using Pool = std::unique_ptr<TilthPool, PoolDeleter>;

void CountTask(void* const* buffers, int64_t task, void*) {
  static_cast<std::atomic<int>*>(buffers[0])[task].fetch_add(1, std::memory_order_relaxed);
}

void CheckScratch(void* const* buffers, int64_t task, void* scratch) {
  auto* bytes = static_cast<volatile unsigned char*>(scratch);
  const auto mark = static_cast<unsigned char>(task);
  for (int i = 0; i < 100; ++i) bytes[i] = mark;
  for (int i = 0; i < 100; ++i) {
    if (bytes[i] != mark) static_cast<std::atomic<int>*>(buffers[0])->fetch_add(1);
  }
  if (reinterpret_cast<uintptr_t>(scratch) % 64 != 0) static_cast<std::atomic<int>*>(buffers[0])->fetch_add(1);
}

TEST(ThreadPool, RunsEveryTaskExactlyOnceForAnyNumberOfThreadsAndTasks) {
  for (const int threads : {1, 2, 3, 8}) {
    const Pool pool(TilthPoolCreate(threads, 0));
    ASSERT_NE(pool, nullptr);
    for (const int num_tasks : {0, 1, 2, 7, 64, 1000}) {
      std::vector<std::atomic<int>> counts(1000);
      void* buffers[] = {counts.data()};
      TilthPoolRun(pool.get(), CountTask, buffers, num_tasks);
      for (int task = 0; task < 1000; ++task) ASSERT_EQ(counts[task].load(), task < num_tasks ? 1 : 0);
    }
  }
}

TEST(ThreadPool, ManyShortJobsInARowLoseNoTask) {
  const Pool pool(TilthPoolCreate(4, 0));
  std::vector<std::atomic<int>> counts(5);
  void* buffers[] = {counts.data()};
  constexpr int kJobs = 20000;
  for (int job = 0; job < kJobs; ++job) TilthPoolRun(pool.get(), CountTask, buffers, 2 + job % 4);
  EXPECT_EQ(counts[0].load(), kJobs);
  EXPECT_EQ(counts[4].load(), kJobs / 4);
}

TEST(ThreadPool, WorkersThatFellAsleepWakeForTheNextJob) {
  const Pool pool(TilthPoolCreate(2, 0));
  std::vector<std::atomic<int>> counts(8);
  void* buffers[] = {counts.data()};
  for (int job = 1; job <= 5; ++job) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    TilthPoolRun(pool.get(), CountTask, buffers, 8);
    for (const std::atomic<int>& count : counts) EXPECT_EQ(count.load(), job);
  }
}

TEST(ThreadPool, EachThreadHasItsOwnAlignedScratch) {
  const Pool pool(TilthPoolCreate(4, 100));
  std::atomic<int> errors = 0;
  void* buffers[] = {&errors};
  for (int job = 0; job < 200; ++job) TilthPoolRun(pool.get(), CheckScratch, buffers, 50);
  EXPECT_EQ(errors.load(), 0);
}

}  // namespace
}  // namespace tilth
