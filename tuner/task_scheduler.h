// TaskScheduler: which kernel of the model gets the next trials.
//
// Every task first gets its default measured, then a first batch, the costliest tasks first. After that the trials go
// where they are expected to save the most time of the whole model: weight × expected gain per second of building and
// measuring. What a task may hope for is told by its own trials and by tasks of its kind that have had more. A task
// leaves the race when it has converged, when it is close to the device's peak, or when its space is exhausted; a task
// that hardly matters gets only a few trials. Everything is a function of the history, so that a session that resumes
// from the log decides as if it had never stopped.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tilth {

struct ScheduledTask {
  double weight = 1;
  double work = 0;         // flops and bytes: stands for the time until one is measured
  double roofline_ns = 0;  // no candidate can be faster; 0: unknown
  bool single = false;     // the space has only one candidate
  std::string kind;        // tasks of one kind are alike in how much a search gains; empty: like no other
};

struct SchedulerOptions {
  int first_batch = 8;
  int batch = 8;
  int cheap_trials = 6;  // for a task below cheap_share of the model's time
  double cheap_share = 0.005;
  double enough_of_roofline = 0.95;
  int patience = 64;            // trials without an improvement of 1 % after which a task has converged …
  double patience_share = 0.5;  // … but at least this share of the trials it has had
};

// Why a task wants no more trials.
enum class TaskEnd { kNone, kExhausted, kCheap, kRoofline, kConverged };

// "", "exhausted", "hardly matters", "at the roofline", "converged".
std::string_view ToString(TaskEnd end);

struct Turn {
  int task = -1;  // -1: no task wants trials before the results of what is under way
  int count = 0;
  bool measure_default = false;
};

// Not thread-safe.
class TaskScheduler {
 public:
  explicit TaskScheduler(std::vector<ScheduledTask> tasks, const SchedulerOptions& options = {});

  // Whose turn it is. The caller then reports what it started (it may be less than `count`).
  Turn Next() const;
  void Started(int task, int count);
  // One result: the measured time, or 0 for a failure; and what it took to build and measure it, 0 if nothing is known.
  void Finished(int task, double median_ns, double cost_s = 0);
  // A trial that was started and gave no result (cancelled, or lost by the farm).
  void Dropped(int task);
  void SetExhausted(int task);
  void SetRoofline(int task, double roofline_ns);

  // No task wants trials, and none is under way.
  bool Done() const;
  // The task wants no more trials.
  bool Settled(int task) const { return WhySettled(task) != TaskEnd::kNone; }
  TaskEnd WhySettled(int task) const;

  double best_ns(int task) const { return states_[static_cast<size_t>(task)].best_ns; }

 private:
  struct State {
    ScheduledTask task;
    int finished = 0;
    int under_way = 0;
    bool exhausted = false;
    double best_ns = 0;
    double cost_s = 0;  // of costed trials together
    int costed = 0;
    std::vector<double> curve;  // best after each finished trial, 0 before the first success
    int last_improvement = 0;   // trials finished when best_ns last fell by 1 %
    double reference_ns = 0;    // best at that time
  };

  // Of the whole model, once through; tasks without a time are estimated by their work.
  struct Estimate {
    double model_ns = 0;
    double ns_per_work = 0;
    bool every_task_known = true;  // each has had a result
    double trial_cost_s = 0;       // mean of all tasks; 0: unknown
  };
  Estimate EstimateModel() const;
  TaskEnd WhySettled(const State& state, const Estimate& estimate) const;
  bool Settled(const State& state, const Estimate& estimate) const {
    return WhySettled(state, estimate) != TaskEnd::kNone;
  }
  bool IsCheap(const State& state, const Estimate& estimate) const;
  bool Waits(const State& state, const Estimate& estimate) const;
  double GainPerTrial(const State& state, const Estimate& estimate) const;
  double GainPerSecond(const State& state, const Estimate& estimate) const;
  double Hope(const State& state) const;

  SchedulerOptions options_;
  std::vector<State> states_;
};

}  // namespace tilth
