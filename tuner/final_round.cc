// See the header.
#include "tuner/final_round.h"

#include <algorithm>

#include "base/hash.h"
#include "base/statistics.h"

namespace tilth {
namespace {

constexpr int kRivals = 3;
constexpr double kWorthComparing = 0.01;

// The samples of all, and the median of their medians: each process has its own placement of code and data.
MeasureOutcome Together(const std::vector<MeasureOutcome>& outcomes) {
  MeasureOutcome together = outcomes.back();
  together.result.samples_ns.clear();
  together.result.run_ms = 0;
  together.build_s = 0;
  std::vector<double> medians;
  for (const MeasureOutcome& outcome : outcomes) {
    const MeasureResult& result = outcome.result;
    medians.push_back(result.median_ns);
    together.result.samples_ns.insert(together.result.samples_ns.end(), result.samples_ns.begin(),
                                      result.samples_ns.end());
    together.result.run_ms += result.run_ms;
    together.result.spread = std::max(together.result.spread, result.spread);
    together.build_s += outcome.build_s;
    if (outcome.error != MeasureErrorKind::kNone) {
      together.error = together.result.error = outcome.error;
      together.detail = outcome.detail;
    }
  }
  together.result.median_ns = Quantile(std::move(medians), 0.5);
  return together;
}

}  // namespace

std::vector<int> FinalTasks(const std::vector<TuningTask>& tasks) {
  double model_ns = 0;
  for (const TuningTask& task : tasks) model_ns += task.weight() * task.best_ns();
  std::vector<int> chosen;
  for (size_t i = 0; i < tasks.size(); ++i) {
    const TuningTask& task = tasks[i];
    const bool matters = task.weight() * task.best_ns() >= kWorthComparing * model_ns;
    if (matters && !task.finalised() && task.Best(2).size() == 2) chosen.push_back(static_cast<int>(i));
  }
  return chosen;
}

FinalRound::FinalRound(const std::vector<TuningTask>& tasks, const std::vector<int>& chosen, uint64_t seed, int rounds)
    : tasks_(tasks), seed_(MixBits(seed)), rounds_(rounds) {
  for (int task : chosen) {
    std::vector<Candidate> rivals;
    for (const MeasuredCandidate& entry : tasks_[static_cast<size_t>(task)].Best(kRivals))
      rivals.push_back(entry.candidate);
    // The default belongs to the comparison: the speed-up is told from it.
    const Candidate fallback = tasks_[static_cast<size_t>(task)].space().Default();
    if (tasks_[static_cast<size_t>(task)].default_ns() > 0 &&
        std::find(rivals.begin(), rivals.end(), fallback) == rivals.end()) {
      rivals.push_back(fallback);
    }
    for (const Candidate& rival : rivals) rivals_.push_back({task, rival});
    missing_[task] = static_cast<size_t>(rounds_) * rivals.size();
  }
}

std::vector<MeasureJob> FinalRound::Jobs(const std::function<std::string()>& next_trial_id) const {
  std::vector<MeasureJob> jobs;
  for (size_t begin = 0, end = 0; begin < rivals_.size(); begin = end) {
    while (end < rivals_.size() && rivals_[end].task == rivals_[begin].task) ++end;
    for (int round = 0; round < rounds_; ++round) {
      for (size_t i = begin; i < end; ++i) {
        MeasureJob job;
        job.task = rivals_[i].task;
        job.space = tasks_[static_cast<size_t>(job.task)].shared_space();
        job.candidate = rivals_[i].candidate;
        job.origin = kOriginFinal;
        job.trial_id = next_trial_id();
        job.workload_hash = tasks_[static_cast<size_t>(job.task)].workload_hash();
        job.seed = seed_;
        job.repeat = true;
        jobs.push_back(std::move(job));
      }
    }
  }
  return jobs;
}

std::vector<MeasureOutcome> FinalRound::Add(const std::vector<MeasureOutcome>& outcomes) {
  std::vector<MeasureOutcome> complete;
  for (const MeasureOutcome& outcome : outcomes) {
    if (!outcome.result.status.ok()) continue;
    const int task = outcome.job.task;
    collected_[{task, outcome.job.candidate}].push_back(outcome);
    if (--missing_[task] > 0) continue;
    for (const Key& rival : rivals_) {
      if (rival.task == task) complete.push_back(Together(collected_[rival]));
    }
  }
  return complete;
}

}  // namespace tilth
