// Scores the candidates of a kernel by their features and a cost model: the fast path of a search.
#pragma once

#include <vector>

#include "absl/container/flat_hash_map.h"
#include "cost_model/cost_model.h"
#include "cost_model/feature_batch.h"
#include "search_space/space.h"
#include "tuner/search_policy.h"

namespace tilth {

// Space and model outlive it. Remembers what it has scored, by key: make a new one when the model has learnt, or
// after an error.
class FeatureScorer : public CandidateScorer {
 public:
  FeatureScorer(const SearchSpace& space, const CostModel& model)
      : space_(space), model_(model), batch_(space.target()) {}

  // Errors: those of the model.
  Status Score(std::span<const Candidate> candidates, std::span<float> scores, std::span<uint64_t> keys) override;

 private:
  Status TakeScores();

  const SearchSpace& space_;
  const CostModel& model_;
  FeatureBatch batch_;
  std::vector<float> scores_;                     // by the order in which their keys first came
  absl::flat_hash_map<uint64_t, int> number_of_;  // key → place in scores_
  std::vector<int> numbers_;                      // of the candidates of one call
};

}  // namespace tilth
