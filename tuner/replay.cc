#include "tuner/replay.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/hash.h"
#include "tuner/parameter_scorer.h"
#include "tuner/policies.h"

namespace tilth {
namespace {

constexpr int kResamples = 2000;
constexpr double kMsToNs = 1e6;

StatusOr<std::vector<double>> Search(const RecordedSpace& recorded, const ReplayOptions& options, uint64_t seed) {
  TILTH_ASSIGN_OR_RETURN(const std::unique_ptr<SearchPolicy> policy, MakeParameterPolicy(options.policy));
  ParameterScorer scorer(recorded.space(), CombineHash(seed, 1));
  Rng search(CombineHash(seed, 2)), repeats(CombineHash(seed, 3));
  std::vector<MeasuredCandidate> measured;
  TakenCandidates taken;
  std::vector<double> fractions;
  double best_ns = 0, fraction = 0;
  while (static_cast<int>(fractions.size()) < options.budget) {
    scorer.Update(measured);
    const SearchRequest request = {
        .space = &recorded.space(), .scorer = &scorer, .measured = measured, .taken = &taken, .count = 1};
    TILTH_ASSIGN_OR_RETURN(const std::vector<Proposal> proposals, policy->Propose(request, search));
    if (proposals.empty()) break;
    const Candidate& candidate = proposals[0].candidate;
    taken.Insert(recorded.space(), candidate);
    const double time_ns = kMsToNs * recorded.DrawMs(candidate, repeats);
    measured.push_back({candidate, time_ns});
    if (time_ns > 0 && (best_ns == 0 || time_ns < best_ns)) {
      best_ns = time_ns;
      fraction = recorded.best_mean_ms() / recorded.MeanMs(candidate);
    }
    fractions.push_back(fraction);
  }
  fractions.resize(static_cast<size_t>(options.budget), fraction);
  return fractions;
}

// The best of k drawn without replacement is the one with rank j with probability C(n-j-1, k-1) / C(n, k).
std::vector<double> RandomExpectation(const RecordedSpace& recorded, int budget) {
  const std::vector<double>& means = recorded.sorted_means_ms();
  const auto points = static_cast<double>(recorded.space().points().size());
  std::vector<double> expectation;
  for (int k = 1; k <= budget; ++k) {
    double expected = 0;
    double none_better = 1;  // the probability that no point of a lower rank has been drawn
    for (size_t j = 0; j < means.size() && none_better > 1e-12; ++j) {
      const double left = points - static_cast<double>(j);
      const double drawn = std::min(1.0, k / left);  // given that no better one has been
      expected += none_better * drawn * means[0] / means[j];
      none_better *= 1 - drawn;
    }
    expectation.push_back(expected);
  }
  return expectation;
}

}  // namespace

StatusOr<ReplayResult> Replay(const RecordedSpace& recorded, const ReplayOptions& options,
                              const std::function<void(int)>& progress) {
  ReplayResult result;
  result.name = recorded.space().name();
  result.points = recorded.space().points().size();
  result.failures = static_cast<uint64_t>(recorded.failures());
  result.random_expectation = RandomExpectation(recorded, options.budget);
  for (int seed = 1; seed <= options.seeds; ++seed) {
    TILTH_ASSIGN_OR_RETURN(result.fractions.emplace_back(), Search(recorded, options, static_cast<uint64_t>(seed)),
                           result.name);
    if (progress) progress(seed);
  }
  return result;
}

double MeanAfter(const std::vector<std::vector<double>>& fractions, size_t evaluations) {
  double sum = 0;
  for (const std::vector<double>& search : fractions) sum += search[evaluations - 1];
  return sum / static_cast<double>(fractions.size());
}

std::vector<std::vector<double>> MeanFractions(const std::vector<ReplayResult>& results) {
  std::vector<std::vector<double>> means = results.front().fractions;
  for (size_t seed = 0; seed < means.size(); ++seed) {
    for (size_t i = 0; i < means[seed].size(); ++i) {
      means[seed][i] = 0;
      for (const ReplayResult& result : results)
        means[seed][i] += result.fractions[seed][i] / static_cast<double>(results.size());
    }
  }
  return means;
}

ReplayScore ScoreOf(const std::vector<std::vector<double>>& fractions) {
  const size_t budget = fractions.front().size(), seeds = fractions.size();
  ReplayScore score;
  score.mean = MeanAfter(fractions, budget);
  score.worst = 1;
  for (const std::vector<double>& search : fractions) score.worst = std::min(score.worst, search.back());
  for (size_t i = budget; i >= 1 && MeanAfter(fractions, i) >= 0.95; --i)
    score.evaluations_to_95_percent = static_cast<int>(i);

  Rng rng(seeds);
  std::vector<double> means(kResamples);
  for (double& mean : means) {
    for (size_t i = 0; i < seeds; ++i) mean += fractions[rng.Below(seeds)].back() / static_cast<double>(seeds);
  }
  std::sort(means.begin(), means.end());
  score.ci95_low = means[kResamples / 40];
  score.ci95_high = means[kResamples - 1 - kResamples / 40];
  return score;
}

}  // namespace tilth
