// Replays a search on a space that has been measured completely, without a device: each evaluation draws one of the
// point's stored repeats.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/status.h"
#include "search_space/recorded_space.h"

namespace tilth {

struct ReplayOptions {
  std::string policy = "evolutionary";
  int budget = 100;  // evaluations, failed ones included
  int seeds = 32;    // searches, with the seeds 1, 2, …
};

// Fractions are optimum / mean time of the candidate that the search would return, the one with the fastest single
// measurement: at most 1; 0 while every evaluation has failed.
struct ReplayResult {
  std::string name;
  uint64_t points = 0, failures = 0;           // of the space
  std::vector<std::vector<double>> fractions;  // [seed][evaluation]
  std::vector<double> random_expectation;      // [evaluation], of drawing without replacement; exact
};

// `progress` is called after each search with the number done; may be empty. Errors: an unknown policy, or one that
// cannot search this space.
StatusOr<ReplayResult> Replay(const RecordedSpace& recorded, const ReplayOptions& options,
                              const std::function<void(int)>& progress);

// Over the seeds, at the end of the budget.
struct ReplayScore {
  double mean = 0;
  double ci95_low = 0, ci95_high = 0;  // of the mean, by bootstrap over the seeds
  double worst = 0;                    // seed
  int evaluations_to_95_percent = 0;   // until the mean over the seeds is at least 0.95; 0: never
};
ReplayScore ScoreOf(const std::vector<std::vector<double>>& fractions);

// The mean over the spaces, seed by seed.
std::vector<std::vector<double>> MeanFractions(const std::vector<ReplayResult>& results);

// The mean over seeds after `evaluations` (1 …).
double MeanAfter(const std::vector<std::vector<double>>& fractions, size_t evaluations);

}  // namespace tilth
