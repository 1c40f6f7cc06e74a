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

std::vector<MeasureJob> FinalRound::Jobs(int num_devices, const std::function<std::string()>& next_trial_id) const {
  std::vector<std::vector<Key>> turns;  // by task
  for (const Key& rival : rivals_) {
    if (turns.empty() || turns.back().front().task != rival.task) turns.emplace_back();
    turns.back().push_back(rival);
  }
  std::vector<MeasureJob> jobs;
  for (size_t begin = 0, end = 0; begin < turns.size(); begin = end) {
    end = std::min(turns.size(), begin + static_cast<size_t>(num_devices));
    const auto longest = std::max_element(turns.begin() + begin, turns.begin() + end,
                                          [](const auto& a, const auto& b) { return a.size() < b.size(); });
    for (int round = 0; round < rounds_; ++round) {
      for (size_t rival = 0; rival < longest->size(); ++rival) {
        for (size_t i = begin; i < end; ++i) {
          if (rival < turns[i].size()) jobs.push_back(JobOf(turns[i][rival], next_trial_id()));
        }
      }
    }
  }
  return jobs;
}

MeasureJob FinalRound::JobOf(const Key& rival, std::string trial_id) const {
  const TuningTask& task = tasks_[static_cast<size_t>(rival.task)];
  MeasureJob job;
  job.task = rival.task;
  job.space = task.shared_space();
  job.candidate = rival.candidate;
  job.origin = kOriginFinal;
  job.trial_id = std::move(trial_id);
  job.workload_hash = task.workload_hash();
  job.seed = seed_;
  job.repeat = true;
  job.together = StrCat("final-", rival.task);
  return job;
}

std::vector<MeasureOutcome> FinalRound::Add(const std::vector<MeasureOutcome>& outcomes) {
  std::vector<MeasureOutcome> complete;
  for (const MeasureOutcome& outcome : outcomes) {
    if (!outcome.result.status.ok()) continue;
    const int task = outcome.job.task;
    collected_[{task, outcome.job.candidate}].push_back(outcome);
    if (--missing_[task] > 0) continue;
    for (MeasureOutcome& compared : Compare(task)) complete.push_back(std::move(compared));
  }
  return complete;
}

std::vector<MeasureOutcome> FinalRound::Compare(int task) const {
  std::map<std::string, size_t> times;  // by agent
  for (const auto& [rival, outcomes] : collected_) {
    if (rival.task != task) continue;
    for (const MeasureOutcome& outcome : outcomes) {
      if (outcome.error == MeasureErrorKind::kNone) ++times[outcome.result.agent_id];
    }
  }
  const auto most =
      std::max_element(times.begin(), times.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  std::vector<MeasureOutcome> compared;
  for (const Key& rival : rivals_) {
    if (rival.task != task) continue;
    std::vector<MeasureOutcome> outcomes = collected_.at(rival);
    std::erase_if(outcomes, [&](const MeasureOutcome& outcome) {
      return outcome.error == MeasureErrorKind::kNone && outcome.result.agent_id != most->first;
    });
    if (outcomes.empty()) return {};
    compared.push_back(Together(outcomes));
  }
  return compared;
}

}  // namespace tilth
