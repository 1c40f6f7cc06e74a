#include "tuner/predicted_choice.h"

#include <array>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "base/rng.h"
#include "tuner/evolutionary_search.h"
#include "tuner/feature_scorer.h"

namespace tilth {
namespace {

constexpr uint64_t kSeed = 1;
// A model errs, and a search finds its errors; the default is known to be sensible. Below this it keeps its place.
constexpr double kClearGain = 1.25;

// Where a search has led away from what a forest was trained on, it no longer knows what the analytic prior still does.
class Tempered : public CostModel {
 public:
  explicit Tempered(const CostModel& model) : model_(model), prior_(MakeAnalyticModel()) {}

  std::string name() const override { return model_.name(); }
  Status Update(const TrainingSet&) override { return absl::OkStatus(); }
  StatusOr<std::vector<float>> Predict(const FeatureMatrix& features) const override {
    constexpr float kShareOfPrior = 0.3f;
    TILTH_ASSIGN_OR_RETURN(std::vector<float> scores, model_.Predict(features));
    TILTH_ASSIGN_OR_RETURN(const std::vector<float> prior, prior_->Predict(features));
    for (size_t i = 0; i < scores.size(); ++i) {
      scores[i] = (1 - kShareOfPrior) * scores[i] + kShareOfPrior * prior[i];
    }
    return scores;
  }

 private:
  const CostModel& model_;
  std::unique_ptr<CostModel> prior_;
};

}  // namespace

StatusOr<std::optional<PredictedChoice>> PredictChoice(const SearchSpace& space, const CostModel& model) {
  const Tempered tempered(model);
  FeatureScorer scorer(space, tempered);
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
