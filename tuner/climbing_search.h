// Coordinate descent from several good candidates at once: each proposal differs in one knob from one of the best
// measured ones that are unlike each other, and is the most promising such neighbour by score.
#pragma once

#include <memory>

#include "tuner/search_policy.h"

namespace tilth {

struct ClimbingOptions {
  int elites = 3;            // candidates from which it climbs, in turn
  int least_difference = 3;  // knobs in which two of them differ
};

std::unique_ptr<SearchPolicy> MakeClimbingSearch(const ClimbingOptions& options = {});

}  // namespace tilth
