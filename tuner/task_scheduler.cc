// The expected gain follows Ansor's gradient: what the last trials gained, and the hope that as many trials as have
// been spent would gain a share of what is left above the roofline: a quarter, or what tasks of the kind have shown.
#include "tuner/task_scheduler.h"

#include <algorithm>

#include "base/status.h"

namespace tilth {
namespace {

constexpr double kImprovement = 0.99;
constexpr int kGradientWindow = 16;
constexpr double kBackwardShare = 0.6;
constexpr double kHope = 0.25;

}  // namespace

std::string_view ToString(TaskEnd end) {
  switch (end) {
    case TaskEnd::kNone:
      return "";
    case TaskEnd::kExhausted:
      return "exhausted";
    case TaskEnd::kCheap:
      return "hardly matters";
    case TaskEnd::kRoofline:
      return "at the roofline";
    case TaskEnd::kConverged:
      return "converged";
  }
  return "";
}

TaskScheduler::TaskScheduler(std::vector<ScheduledTask> tasks, const SchedulerOptions& options) : options_(options) {
  for (const ScheduledTask& task : tasks) states_.push_back({.task = task, .curve = {}});
}

TaskScheduler::Estimate TaskScheduler::EstimateModel() const {
  Estimate estimate;
  double known_ns = 0, known_work = 0, work = 0, cost_s = 0;
  int costed = 0;
  for (const State& state : states_) {
    work += state.task.weight * state.task.work;
    cost_s += state.cost_s;
    costed += state.costed;
    if (state.finished == 0) estimate.every_task_known = false;
    if (state.best_ns <= 0) continue;
    known_ns += state.task.weight * state.best_ns;
    known_work += state.task.weight * state.task.work;
  }
  estimate.ns_per_work = known_work > 0 ? known_ns / known_work : 0;
  estimate.trial_cost_s = costed > 0 ? cost_s / costed : 0;
  estimate.model_ns = known_ns + estimate.ns_per_work * (work - known_work);
  return estimate;
}

bool TaskScheduler::IsCheap(const State& state, const Estimate& estimate) const {
  return state.best_ns > 0 && state.task.weight * state.best_ns < options_.cheap_share * estimate.model_ns;
}

// What a task costs shows with its first result; until all have one, a cheap task must not go first.
bool TaskScheduler::Waits(const State& state, const Estimate& estimate) const {
  return state.finished == 0 || (IsCheap(state, estimate) && !estimate.every_task_known);
}

TaskEnd TaskScheduler::WhySettled(const State& state, const Estimate& estimate) const {
  const int spent = state.finished + state.under_way;
  if (spent == 0) return TaskEnd::kNone;
  if (state.exhausted || state.task.single) return TaskEnd::kExhausted;
  if (state.best_ns > 0 && state.task.roofline_ns >= options_.enough_of_roofline * state.best_ns) {
    return TaskEnd::kRoofline;
  }
  if (spent >= options_.cheap_trials && IsCheap(state, estimate)) return TaskEnd::kCheap;
  const int patience =
      std::max(options_.patience, static_cast<int>(options_.patience_share * static_cast<double>(state.finished)));
  return state.finished - state.last_improvement >= patience ? TaskEnd::kConverged : TaskEnd::kNone;
}

TaskEnd TaskScheduler::WhySettled(int task) const {
  return WhySettled(states_[static_cast<size_t>(task)], EstimateModel());
}

// The share of what is above the roofline that the next trials, as many as have been spent, are hoped to gain: what
// they gained in tasks of the kind that are that far, with a general guess as one of them.
double TaskScheduler::Hope(const State& state) const {
  const auto spent = static_cast<size_t>(std::max(1, state.finished));
  double sum = kHope;
  int count = 1;
  for (const State& other : states_) {
    if (&other == &state || other.task.kind.empty() || other.task.kind != state.task.kind) continue;
    if (other.curve.size() < 2 * spent || other.curve[spent - 1] <= 0) continue;
    const double before = other.curve[spent - 1], after = other.curve[2 * spent - 1];
    const double left = before - other.task.roofline_ns;
    sum += left > 0 ? std::clamp((before - after) / left, 0.0, 1.0) : 0;
    ++count;
  }
  return sum / count;
}

double TaskScheduler::GainPerSecond(const State& state, const Estimate& estimate) const {
  const double gain = GainPerTrial(state, estimate);
  if (estimate.trial_cost_s <= 0) return gain;
  // As if one more trial had cost the mean, for tasks with few.
  const double cost_s = (state.cost_s + estimate.trial_cost_s) / (state.costed + 1);
  return gain * estimate.trial_cost_s / cost_s;
}

double TaskScheduler::GainPerTrial(const State& state, const Estimate& estimate) const {
  const double spent = std::max(1, state.finished + state.under_way);
  // Nothing has worked yet: its time is unknown, and so is what it could gain; every trial makes it less likely.
  if (state.best_ns <= 0) return state.task.weight * state.task.work * estimate.ns_per_work / spent / spent;
  const double left = std::max(0.0, state.best_ns - state.task.roofline_ns);
  const double hope = Hope(state) * left / spent;
  double backward = hope;
  if (const auto size = static_cast<int>(state.curve.size()); size > 1) {
    const int window = std::min(kGradientWindow, size - 1);
    const double before = state.curve[static_cast<size_t>(size - 1 - window)];
    backward = before > 0 ? (before - state.best_ns) / window : hope;
  }
  return state.task.weight * std::min(left, kBackwardShare * backward + (1 - kBackwardShare) * hope);
}

Turn TaskScheduler::Next() const {
  const Estimate estimate = EstimateModel();
  Turn turn;
  double most = -1;
  // The first trial of a task is its default; before it the work stands for the time.
  for (size_t i = 0; i < states_.size(); ++i) {
    const State& state = states_[i];
    const double cost = state.task.weight * std::max(1.0, state.task.work);
    if (state.finished + state.under_way == 0 && cost > most) {
      most = cost;
      turn = {.task = static_cast<int>(i), .count = 1, .measure_default = true};
    }
  }
  if (turn.task >= 0) return turn;

  for (size_t i = 0; i < states_.size(); ++i) {
    const State& state = states_[i];
    const int first = IsCheap(state, estimate) ? options_.cheap_trials : options_.first_batch;
    const int missing = first - state.finished - state.under_way;
    const double cost = state.task.weight * state.best_ns;
    if (missing > 0 && cost > most && !Waits(state, estimate) && !Settled(state, estimate)) {
      most = cost;
      turn = {.task = static_cast<int>(i), .count = missing, .measure_default = false};
    }
  }
  if (turn.task >= 0) return turn;

  for (size_t i = 0; i < states_.size(); ++i) {
    const State& state = states_[i];
    if (Waits(state, estimate) || Settled(state, estimate)) continue;
    if (const double gain = GainPerSecond(state, estimate); gain > most) {
      most = gain;
      turn = {.task = static_cast<int>(i), .count = options_.batch, .measure_default = false};
    }
  }
  return turn;
}

void TaskScheduler::Started(int task, int count) { states_[static_cast<size_t>(task)].under_way += count; }

void TaskScheduler::Finished(int task, double median_ns, double cost_s) {
  State& state = states_[static_cast<size_t>(task)];
  if (cost_s > 0) {
    state.cost_s += cost_s;
    ++state.costed;
  }
  Dropped(task);
  ++state.finished;
  if (median_ns > 0 && (state.best_ns <= 0 || median_ns < state.best_ns)) {
    state.best_ns = median_ns;
    if (state.reference_ns <= 0 || median_ns < kImprovement * state.reference_ns) {
      state.reference_ns = median_ns;
      state.last_improvement = state.finished;
    }
  }
  state.curve.push_back(state.best_ns);
}

void TaskScheduler::Dropped(int task) {
  State& state = states_[static_cast<size_t>(task)];
  state.under_way = std::max(0, state.under_way - 1);
}

void TaskScheduler::SetExhausted(int task) { states_[static_cast<size_t>(task)].exhausted = true; }

void TaskScheduler::SetRoofline(int task, double roofline_ns) {
  states_[static_cast<size_t>(task)].task.roofline_ns = roofline_ns;
}

bool TaskScheduler::Done() const {
  return Next().task < 0 &&
         std::all_of(states_.begin(), states_.end(), [](const State& state) { return state.under_way == 0; });
}

}  // namespace tilth
