#include "tuner/predicted_choice.h"

#include <array>
#include <cmath>
#include <memory>
#include <vector>

#include "base/rng.h"
#include "tuner/evolutionary_search.h"
#include "tuner/feature_scorer.h"

namespace tilth {
namespace {

constexpr uint64_t kSeed = 1;
// A model errs; the default is known to be sensible. Below this it keeps its place.
constexpr double kClearGain = 1.05;

}  // namespace

StatusOr<std::optional<PredictedChoice>> PredictChoice(const SearchSpace& space, const CostModel& model) {
  FeatureScorer scorer(space, model);
  const TakenCandidates none;
  const SearchRequest request = {.space = &space, .scorer = &scorer, .measured = {}, .taken = &none, .count = 1};
  EvolutionOptions options;
  options.random_share = 0;
  Rng rng(kSeed);
  TILTH_ASSIGN_OR_RETURN(const std::vector<Proposal> proposals, MakeEvolutionarySearch(options)->Propose(request, rng));
  if (proposals.empty()) return std::nullopt;
  const std::array candidates = {proposals.front().candidate, space.Default()};
  std::array<float, 2> scores{};
  std::array<uint64_t, 2> keys{};
  TILTH_RETURN_IF_ERROR(scorer.Score(candidates, scores, keys));
  const double gain = std::exp2(static_cast<double>(scores[0]) - static_cast<double>(scores[1]));
  if (keys[0] == keys[1] || gain < kClearGain) return std::nullopt;
  return PredictedChoice{candidates[0], gain};
}

}  // namespace tilth
