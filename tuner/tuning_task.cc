// Bookkeeping of one kernel.
#include "tuner/tuning_task.h"

#include <algorithm>

#include "ir/workload.h"

namespace tilth {

TuningTask::TuningTask(std::shared_ptr<const SearchSpace> space, int weight)
    : space_(std::move(space)),
      workload_hash_(StructuralHash(space_->workload())),
      weight_(weight),
      flops_(Flops(space_->workload())) {}

void TuningTask::AddResult(const Candidate& candidate, const std::string& origin, double median_ns,
                           MeasureErrorKind error, bool own) {
  Take(candidate);
  const auto [entry, is_new] = position_.try_emplace(candidate, measured_.size());
  if (is_new) {
    measured_.push_back({candidate, median_ns});
    last_times_.emplace_back();
  }
  // A failure after a success does not erase the time, except that a wrong answer disqualifies.
  if (median_ns > 0) measured_[entry->second].median_ns = median_ns;
  if (error == MeasureErrorKind::kWrongAnswer) {
    measured_[entry->second].median_ns = 0;
    passed_over_.insert(candidate);
  }
  if (origin == kOriginDuplicate) passed_over_.insert(candidate);
  finalised_ = origin == kOriginFinal;
  ++results_;
  if (finalised_ && median_ns > 0) last_comparison_ = results_;
  if (median_ns > 0) last_times_[entry->second] = {.number = results_, .compared = finalised_};
  if (!own || origin == kOriginFinal || origin == kOriginDuplicate) return;
  ++trials_;
  if (error != MeasureErrorKind::kNone) ++failures_[error];
}

std::vector<MeasuredCandidate> TuningTask::Best(int k) const {
  struct Ranked {
    bool superseded;
    double median_ns;
    size_t position;
    auto operator<=>(const Ranked&) const = default;
  };
  std::vector<Ranked> ranked;
  for (size_t i = 0; i < measured_.size(); ++i) {
    if (measured_[i].median_ns <= 0 || passed_over_.contains(measured_[i].candidate)) continue;
    const bool superseded = !last_times_[i].compared && last_times_[i].number < last_comparison_;
    ranked.push_back({superseded, measured_[i].median_ns, i});
  }
  const size_t count = std::min(ranked.size(), static_cast<size_t>(k));
  std::partial_sort(ranked.begin(), ranked.begin() + static_cast<std::ptrdiff_t>(count), ranked.end());
  std::vector<MeasuredCandidate> best;
  for (size_t i = 0; i < count; ++i) best.push_back(measured_[ranked[i].position]);
  return best;
}

double TuningTask::best_ns() const {
  const std::vector<MeasuredCandidate> best = Best(1);
  return best.empty() ? 0 : best.front().median_ns;
}

double TuningTask::default_ns() const {
  const auto found = position_.find(space_->Default());
  return found == position_.end() ? 0 : measured_[found->second].median_ns;
}

int TuningTask::num_failures() const {
  int total = 0;
  for (const auto& [kind, count] : failures_) total += count;
  return total;
}

}  // namespace tilth
