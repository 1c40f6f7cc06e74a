// Scores the candidates of a kernel by their features and a cost model.
#pragma once

#include "cost_model/cost_model.h"
#include "search_space/space.h"
#include "tuner/search_policy.h"

namespace tilth {

// Space and model outlive it; the model may learn between calls.
class FeatureScorer : public CandidateScorer {
 public:
  FeatureScorer(const SearchSpace& space, const CostModel& model) : space_(space), model_(model) {}

  // Errors: those of the model.
  Status Score(std::span<const Candidate> candidates, std::span<float> scores, std::span<uint64_t> keys) override;

 private:
  const SearchSpace& space_;
  const CostModel& model_;
};

}  // namespace tilth
