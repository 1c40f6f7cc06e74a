#include "tuner/parameter_scorer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

namespace tilth {
namespace {

constexpr size_t kRefitAfter = 5;          // new measurements, while there are few
constexpr size_t kMostObservations = 300;  // the process's work grows with their cube
constexpr size_t kNeighbourhood = 1024;    // candidates; larger pools are kept
constexpr double kSlowShare = 0.3;         // how much of a difference counts among the slower half

// E[max(0, best - X)] for a normal X.
float ExpectedImprovement(double mean, double deviation, double best) {
  const double z = (best - mean) / deviation;
  if (z < -6) return static_cast<float>(z - 1000);  // the formula would lose the order
  const double density = std::exp(-z * z / 2) / std::sqrt(2 * std::numbers::pi);
  const double share = 0.5 * std::erfc(-z / std::numbers::sqrt2);
  return static_cast<float>((best - mean) * share + deviation * density);
}

void Standardise(std::vector<double>* values) {
  const auto count = static_cast<double>(values->size());
  const double mean = std::accumulate(values->begin(), values->end(), 0.0) / count;
  double variance = 0;
  for (double value : *values) variance += (value - mean) * (value - mean);
  const double deviation = std::sqrt(variance / count) + 1e-9;
  for (double& value : *values) value = (value - mean) / deviation;
}

}  // namespace

ParameterScorer::ParameterScorer(const KnobSpace& space, uint64_t seed)
    : space_(space), rng_(seed), coordinates_(space), process_(coordinates_.priors()) {}

void ParameterScorer::Update(std::span<const MeasuredCandidate> measured) {
  const size_t known = measured_.size();
  TILTH_CHECK(measured.size() >= known);
  measured_.assign(measured.begin(), measured.end());
  points_ = coordinates_.Of([&] {
    std::vector<Candidate> candidates;
    for (const MeasuredCandidate& entry : measured_) candidates.push_back(entry.candidate);
    return candidates;
  }());
  any_success_ = std::any_of(measured_.begin(), measured_.end(), [](const auto& entry) { return entry.median_ns > 0; });
  for (size_t i = known; i < measured_.size(); ++i) observed_.push_back(i);
  const size_t wait = std::max(kRefitAfter, measured_at_fit_ / 10);
  if (any_success_ && measured_.size() >= kStartMeasurements &&
      (measured_at_fit_ == 0 || measured_.size() >= measured_at_fit_ + wait)) {
    Refit();
  }
}

// Of many measurements, the best and a sample of the others are kept.
void ParameterScorer::Refit() {
  observed_.resize(measured_.size());
  std::iota(observed_.begin(), observed_.end(), size_t{0});
  if (observed_.size() > kMostObservations) {
    const auto time = [&](size_t i) {
      return measured_[i].median_ns > 0 ? measured_[i].median_ns : std::numeric_limits<double>::infinity();
    };
    std::stable_sort(observed_.begin(), observed_.end(), [&](size_t a, size_t b) { return time(a) < time(b); });
    constexpr size_t kBest = kMostObservations / 2;
    for (size_t i = kBest; i < kMostObservations; ++i)
      std::swap(observed_[i], observed_[i + rng_.Below(observed_.size() - i)]);
    observed_.resize(kMostObservations);
  }
  PointSet points;
  for (size_t i : observed_) points.Append(points_, i);
  process_.Fit(points, Targets());
  measured_at_fit_ = measured_.size();
  for (Pool& pool : pools_) pool.posterior.reset();
}

// The logarithm of the time; differences among the slower half count less, since it does not matter how slow they are;
// a failure is as slow as the slowest.
std::vector<double> ParameterScorer::Targets() const {
  std::vector<double> times;
  for (size_t i : observed_)
    if (measured_[i].median_ns > 0) times.push_back(std::log(measured_[i].median_ns));
  std::vector<double> targets(observed_.size(), 0);
  if (times.empty()) return targets;
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  const double median = *middle;
  const auto compressed = [&](double time) { return time > median ? median + kSlowShare * (time - median) : time; };
  const double slowest = compressed(*std::max_element(times.begin(), times.end()));
  for (size_t k = 0; k < observed_.size(); ++k) {
    const double time = measured_[observed_[k]].median_ns;
    targets[k] = time > 0 ? compressed(std::log(time)) : slowest;
  }
  Standardise(&targets);
  return targets;
}

Status ParameterScorer::Score(std::span<const Candidate> candidates, std::span<float> scores,
                              std::span<uint64_t> keys) {
  Pool& pool = PoolOf(candidates);
  std::copy(pool.keys.begin(), pool.keys.end(), keys.begin());
  if (measured_at_fit_ == 0) {
    for (float& score : scores) score = static_cast<float>(rng_.Uniform());
  } else {
    ScoreByImprovement(&pool, scores);
  }
  return absl::OkStatus();
}

ParameterScorer::Pool& ParameterScorer::PoolOf(std::span<const Candidate> candidates) {
  Pool& pool = pools_[candidates.size() > kNeighbourhood ? 1 : 0];
  if (std::equal(candidates.begin(), candidates.end(), pool.candidates.begin(), pool.candidates.end())) return pool;
  pool.candidates.assign(candidates.begin(), candidates.end());
  pool.keys.clear();
  for (const Candidate& candidate : pool.candidates) pool.keys.push_back(space_.KeyOf(candidate));
  pool.points = coordinates_.Of(pool.candidates);
  pool.posterior.reset();
  return pool;
}

void ParameterScorer::ScoreByImprovement(Pool* pool, std::span<float> scores) {
  if (!pool->posterior) {
    pool->posterior.emplace(process_, pool->points);
    pool->observations = 0;
  }
  for (; pool->observations < observed_.size(); ++pool->observations)
    pool->posterior->Observe(points_, observed_[pool->observations]);
  const std::vector<double> targets = Targets();
  double best = std::numeric_limits<double>::infinity();
  for (size_t k = 0; k < targets.size(); ++k)
    if (measured_[observed_[k]].median_ns > 0) best = std::min(best, targets[k]);
  std::vector<float> mean, deviation;
  pool->posterior->Predict(targets, &mean, &deviation);
  for (size_t i = 0; i < scores.size(); ++i)
    scores[i] = ExpectedImprovement(double{mean[i]}, double{deviation[i]}, best);
}

}  // namespace tilth
