#include "search_space/task_balance.h"

#include <algorithm>
#include <array>
#include <limits>

#include "base/math.h"
#include "base/status.h"

namespace tilth {
namespace {

constexpr double kMinTaskWork = 1e5;

struct Cut {
  int64_t tasks = 1;
  double largest = 1;  // share of the largest task in the whole
};

int64_t BlocksOf(const TaskAxis& axis) { return CeilDiv(axis.tiles, axis.per_task); }
double ShareOf(const TaskAxis& axis) { return static_cast<double>(axis.per_task) / static_cast<double>(axis.tiles); }

Cut CutOf(int64_t outer, TaskAxes axes) {
  Cut cut = {outer, 1.0 / static_cast<double>(outer)};
  for (const TaskAxis* axis : axes) {
    cut.tasks *= BlocksOf(*axis);
    cut.largest *= ShareOf(*axis);
  }
  return cut;
}

// The cuts that changes of one axis make; computed many times for a candidate.
class AxisCuts {
 public:
  AxisCuts(int64_t outer, TaskAxes axes, const TaskAxis* changed) : before_(1.0 / static_cast<double>(outer)) {
    tasks_of_others_ = outer;
    bool is_after = false;
    for (const TaskAxis* axis : axes) {
      if (axis == changed) {
        is_after = true;
        continue;
      }
      tasks_of_others_ *= BlocksOf(*axis);
      // Multiplied in the order of the axes, as CutOf does: what is equal must stay equal.
      if (is_after) {
        after_[num_after_++] = ShareOf(*axis);
      } else {
        before_ *= ShareOf(*axis);
      }
    }
  }

  Cut Of(const TaskAxis& axis, int64_t blocks) const {
    Cut cut = {tasks_of_others_ * blocks, before_ * ShareOf(axis)};
    for (size_t i = 0; i < num_after_; ++i) cut.largest *= after_[i];
    return cut;
  }

 private:
  int64_t tasks_of_others_;
  double before_;
  std::array<double, kMaxTaskAxes> after_;
  size_t num_after_ = 0;
};

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
Choice BestCut(int64_t outer, double work, TaskAxes axes) {
  Choice best;
  for (TaskAxis* axis : axes) {
    if (axis->per_task <= 1) continue;
    const TaskAxis before = *axis;
    const AxisCuts cuts(outer, axes, axis);
    int64_t blocks = BlocksOf(before);
    while (axis->per_task > 1) {
      // As few more tasks as there can be, all but the last of one size.
      axis->per_task = std::min(axis->per_task - 1, CeilDiv(before.tiles, blocks + 1));
      blocks = BlocksOf(*axis);
      const Cut cut = cuts.Of(*axis, blocks);
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

void BalanceTasks(int64_t outer, double work, TaskAxes axes) {
  TILTH_CHECK(axes.size() <= kMaxTaskAxes);
  while (Unevenness(CutOf(outer, axes)) > 1) {
    const Choice choice = BestCut(outer, work, axes);
    if (choice.axis == nullptr) return;
    choice.axis->per_task = choice.per_task;
  }
}

}  // namespace tilth
