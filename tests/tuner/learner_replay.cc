#include "tests/tuner/learner_replay.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "base/rng.h"

namespace tilth {
namespace {

struct Task {
  int group = 0;
  std::vector<int> left;  // rows that have not been measured
  double best_ns = 0;     // of all
  double found_ns = 0;    // of the measured; 0: none
};

std::vector<Task> TasksOf(const TrainingSet& known, int fewest_candidates) {
  std::map<int, Task> tasks;
  for (int row = 0; row < known.rows(); ++row) {
    const auto i = static_cast<size_t>(row);
    Task& task = tasks[known.group[i]];
    task.group = known.group[i];
    task.left.push_back(row);
    const double time = known.median_ns[i];
    if (time > 0 && (task.best_ns == 0 || time < task.best_ns)) task.best_ns = time;
  }
  std::vector<Task> enough;
  for (auto& [group, task] : tasks) {
    if (task.best_ns > 0 && static_cast<int>(task.left.size()) >= fewest_candidates) enough.push_back(std::move(task));
  }
  return enough;
}

class Replay {
 public:
  Replay(const TrainingSet& known, Learner* learner, const LearnerReplayOptions& options)
      : known_(known), learner_(learner), options_(options), rng_(options.seed) {}

  // Measures the next batch of the task.
  Status Turn(Task* task) {
    TILTH_ASSIGN_OR_RETURN(const std::vector<int> chosen, Choose(task));
    for (const int row : chosen) {
      const double time = known_.median_ns[static_cast<size_t>(row)];
      if (time > 0 && (task->found_ns == 0 || time < task->found_ns)) task->found_ns = time;
      learner_->Add(task->group, known_.features.row(row), time);
      TILTH_RETURN_IF_ERROR(learner_->Refresh());
    }
    return absl::OkStatus();
  }

 private:
  StatusOr<std::vector<int>> Choose(Task* task) {
    FeatureMatrix features(known_.features.columns());
    for (const int row : task->left) features.Append(known_.features.row(row));
    TILTH_ASSIGN_OR_RETURN(const std::vector<float> scores, learner_->Choose()->Predict(features));
    std::vector<size_t> order(scores.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return scores[a] > scores[b]; });
    std::vector<int> chosen;
    while (static_cast<int>(chosen.size()) < options_.batch && !order.empty()) {
      const size_t pick = rng_.Uniform() < options_.random_share ? rng_.Below(order.size()) : 0;
      chosen.push_back(task->left[order[pick]]);
      order.erase(order.begin() + static_cast<std::ptrdiff_t>(pick));
    }
    std::sort(order.begin(), order.end());
    std::vector<int> left;
    for (const size_t position : order) left.push_back(task->left[position]);
    task->left = std::move(left);
    return chosen;
  }

  const TrainingSet& known_;
  Learner* learner_;
  const LearnerReplayOptions& options_;
  Rng rng_;
};

double MeanShare(const std::vector<Task>& tasks) {
  double sum = 0;
  for (const Task& task : tasks) sum += task.found_ns > 0 ? task.best_ns / task.found_ns : 0;
  return sum / static_cast<double>(tasks.size());
}

}  // namespace

int LearnerReplay::TrialsTo(double share) const {
  const auto reached = std::find_if(share_of_best.begin(), share_of_best.end(), [&](double s) { return s >= share; });
  const auto batches = reached - share_of_best.begin() + (reached == share_of_best.end() ? 0 : 1);
  return static_cast<int>(batches) * batch;
}

StatusOr<LearnerReplay> ReplayLearner(const TrainingSet& known, const LearnerOptions& learner,
                                      const LearnerReplayOptions& options) {
  std::vector<Task> tasks = TasksOf(known, options.fewest_candidates);
  if (tasks.empty()) {
    return absl::FailedPreconditionError(
        StrCat("no task has ", options.fewest_candidates, " measured candidates to choose from"));
  }
  TILTH_ASSIGN_OR_RETURN(const std::unique_ptr<Learner> own, Learner::Create(learner));
  Replay replay(known, own.get(), options);
  LearnerReplay result;
  result.tasks = static_cast<int>(tasks.size());
  result.batch = options.batch;
  for (int trials = 0; trials < options.trials_per_task; trials += options.batch) {
    for (Task& task : tasks) {
      TILTH_RETURN_IF_ERROR(replay.Turn(&task));
      result.share_of_best.push_back(MeanShare(tasks));
    }
  }
  return result;
}

}  // namespace tilth
