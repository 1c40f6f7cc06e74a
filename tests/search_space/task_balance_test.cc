// Cutting work into tasks for several threads.
#include "search_space/task_balance.h"

#include <gtest/gtest.h>

namespace tilth {
namespace {

constexpr double kMuch = 1e9, kLittle = 1e4;

TEST(TaskBalance, CutsASingleTaskForFourThreads) {
  TaskAxis axis = {64, 64};
  BalanceTasks(1, kMuch, {&axis});
  EXPECT_EQ(axis.per_task, 16);
}

TEST(TaskBalance, LeavesManyTasksAsTheyAre) {
  TaskAxis axis = {64, 4};
  BalanceTasks(1, kMuch, {&axis});
  EXPECT_EQ(axis.per_task, 4);
  TaskAxis inner = {4, 4};
  BalanceTasks(100, kMuch, {&inner});
  EXPECT_EQ(inner.per_task, 4);
}

TEST(TaskBalance, LeavesLittleWorkInOneTask) {
  TaskAxis axis = {64, 64};
  BalanceTasks(1, kLittle, {&axis});
  EXPECT_EQ(axis.per_task, 64);
}

TEST(TaskBalance, CutsTheAxisThatComesOutEvenly) {
  TaskAxis rows = {1, 1}, columns = {7, 7}, vectors = {8, 8};
  BalanceTasks(1, kMuch, {&rows, &columns, &vectors});
  EXPECT_EQ(vectors.per_task, 2);
  EXPECT_EQ(columns.per_task, 7);
}

TEST(TaskBalance, EndsWhenNothingCanBeCut) {
  TaskAxis axis = {3, 2};
  BalanceTasks(1, kMuch, {&axis});
  EXPECT_EQ(axis.per_task, 1);
}

}  // namespace
}  // namespace tilth
