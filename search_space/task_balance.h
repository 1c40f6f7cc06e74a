// How a kernel's work is cut into tasks that keep several threads busy. Schedules are measured on one thread, where a
// kernel of a single task is as good as any; so blocks are made small enough here, whatever was drawn or measured.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>

namespace tilth {

// An axis of `tiles` equal pieces of work, of which a task takes `per_task` (1 … tiles).
struct TaskAxis {
  int64_t tiles = 1;
  int64_t per_task = 1;
};

// What moving an element counts beside floating-point operations, as work.
inline constexpr double kFlopsPerElementMoved = 16;

inline constexpr size_t kMaxTaskAxes = 4;
using TaskAxes = std::initializer_list<TaskAxis*>;  // at most kMaxTaskAxes

// Lowers per_task, of earlier axes first, until the product of all axes (and of `outer` more tasks for each) is cut
// evenly enough for 2 and for 4 threads, or until tasks would have less than a microsecond's work. `work` of the whole
// is in floating-point operations.
void BalanceTasks(int64_t outer, double work, TaskAxes axes);

}  // namespace tilth
