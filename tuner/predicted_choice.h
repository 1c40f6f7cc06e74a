// The schedule that a model expects to be the fastest, for kernels that nobody has measured.
#pragma once

#include <optional>

#include "base/status.h"
#include "cost_model/cost_model.h"
#include "search_space/space.h"

namespace tilth {

struct PredictedChoice {
  Candidate candidate;
  double gain = 1;  // the default's time over this one's, as the model expects
};

// Searches the space guided by `model`, whose scores are -log2 of time. Nothing where it does not expect a clear gain
// over the default. Deterministic in space and model. Errors: those of the model.
StatusOr<std::optional<PredictedChoice>> PredictChoice(const SearchSpace& space, const CostModel& model);

}  // namespace tilth
