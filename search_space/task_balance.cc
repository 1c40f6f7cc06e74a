#include "search_space/task_balance.h"

#include <algorithm>
#include <limits>

#include "base/math.h"

namespace tilth {
namespace {

constexpr double kMinTaskWork = 1e5;

struct Cut {
  int64_t tasks = 1;
  double largest = 1;  // share of the largest task in the whole
};

Cut CutOf(int64_t outer, const std::vector<TaskAxis*>& axes) {
  Cut cut = {outer, 1.0 / static_cast<double>(outer)};
  for (const TaskAxis* axis : axes) {
    cut.tasks *= CeilDiv(axis->tiles, axis->per_task);
    cut.largest *= static_cast<double>(axis->per_task) / static_cast<double>(axis->tiles);
  }
  return cut;
}

// An upper bound of the time on `threads` threads that take tasks as they become free, relative to a perfect division.
double Unevenness(const Cut& cut, int64_t threads) {
  const double rounds = static_cast<double>(CeilDiv(cut.tasks, threads) * threads) * cut.largest;
  const double greedy = 1 + static_cast<double>(threads - 1) * cut.largest;
  return std::min(rounds, greedy);
}

// 1 or less: good enough.
double Unevenness(const Cut& cut) { return std::max(Unevenness(cut, 2) / 1.1, Unevenness(cut, 4) / 1.25); }

struct Choice {
  TaskAxis* axis = nullptr;
  int64_t per_task = 0;
  double unevenness = std::numeric_limits<double>::infinity();
  int64_t tasks = 0;
  // Even enough with the fewest tasks, or else as even as can be.
  bool IsBetterThan(const Choice& other) const {
    const double rest = std::max(unevenness, 1.0), other_rest = std::max(other.unevenness, 1.0);
    return rest < other_rest || (rest == other_rest && tasks < other.tasks);
  }
};

// The best that cutting one axis further gives; no axis if none may be cut.
Choice BestCut(int64_t outer, double work, const std::vector<TaskAxis*>& axes) {
  Choice best;
  for (TaskAxis* axis : axes) {
    const TaskAxis before = *axis;
    int64_t blocks = CeilDiv(before.tiles, before.per_task);
    while (axis->per_task > 1) {
      // As few more tasks as there can be, all but the last of one size.
      axis->per_task = std::min(axis->per_task - 1, CeilDiv(before.tiles, blocks + 1));
      blocks = CeilDiv(before.tiles, axis->per_task);
      const Cut cut = CutOf(outer, axes);
      if (work < kMinTaskWork * static_cast<double>(cut.tasks)) break;
      const Choice choice = {axis, axis->per_task, Unevenness(cut), cut.tasks};
      if (choice.IsBetterThan(best)) best = choice;
      if (choice.unevenness <= 1) break;
    }
    *axis = before;
  }
  return best;
}

}  // namespace

void BalanceTasks(int64_t outer, double work, std::vector<TaskAxis*> axes) {
  while (Unevenness(CutOf(outer, axes)) > 1) {
    const Choice choice = BestCut(outer, work, axes);
    if (choice.axis == nullptr) return;
    choice.axis->per_task = choice.per_task;
  }
}

}  // namespace tilth
