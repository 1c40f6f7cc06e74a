// The end of a session: the best candidates of each kernel that matters are measured again, in turn and on one device,
// so that a drift of the machine touches all of them alike and no device's speed is taken for a candidate's; and on
// other data, so that they are verified a second time.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tuner/measurer.h"
#include "tuner/tuning_task.h"

namespace tilth {

// Tasks whose best must still be compared: with a choice, a share of the model's time worth it, and a result since the
// last comparison.
std::vector<int> FinalTasks(const std::vector<TuningTask>& tasks);

class FinalRound {
 public:
  // `tasks` outlives the round. Every rival is measured `rounds` times.
  FinalRound(const std::vector<TuningTask>& tasks, const std::vector<int>& chosen, uint64_t seed, int rounds);

  // The measurements to make, in order: those of as many tasks in turn as there are devices.
  std::vector<MeasureJob> Jobs(int num_devices, const std::function<std::string()>& next_trial_id) const;

  // Takes outcomes of those jobs. When a task has all of its own, returns one outcome per rival of it, with the samples
  // of its rounds together; to be recorded at once, because the first such record says that the comparison is done. A
  // candidate that failed once has failed. A task with an outcome that the farm could not carry out, or for which no
  // device has measured all rivals, stays uncompared.
  std::vector<MeasureOutcome> Add(const std::vector<MeasureOutcome>& outcomes);

 private:
  struct Key {
    int task;
    Candidate candidate;
    auto operator<=>(const Key&) const = default;
  };

  MeasureJob JobOf(const Key& rival, std::string trial_id) const;
  // One outcome per rival, with the times of the device that has most of them; empty: it has not measured all.
  std::vector<MeasureOutcome> Compare(int task) const;

  const std::vector<TuningTask>& tasks_;
  std::vector<Key> rivals_;
  uint64_t seed_;
  int rounds_;
  std::map<Key, std::vector<MeasureOutcome>> collected_;
  std::map<int, size_t> missing_;  // outcomes, by task
};

}  // namespace tilth
