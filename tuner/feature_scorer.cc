#include "tuner/feature_scorer.h"

#include <algorithm>

#include "cost_model/features.h"
#include "search_space/schedule_key.h"

namespace tilth {

Status FeatureScorer::Score(std::span<const Candidate> candidates, std::span<float> scores, std::span<uint64_t> keys) {
  FeatureMatrix features(NumFeatures());
  std::vector<float> row(static_cast<size_t>(NumFeatures()));
  for (size_t i = 0; i < candidates.size(); ++i) {
    const LoopNest nest = space_.Resolve(candidates[i]);
    keys[i] = ScheduleKey(nest);
    ExtractFeatures(nest, space_.target(), row);
    features.Append(row);
  }
  TILTH_ASSIGN_OR_RETURN(const std::vector<float> predicted, model_.Predict(features));
  std::copy(predicted.begin(), predicted.end(), scores.begin());
  return absl::OkStatus();
}

}  // namespace tilth
