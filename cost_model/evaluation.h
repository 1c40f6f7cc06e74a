// How well scores order measured candidates: the figures by which cost models are compared.
//
// All figures are computed within a group (a workload on a device) and averaged over the groups, each counting the
// same, as TenSet does. Failed candidates are left out, and so are groups with fewer than kFewestRows others.
#pragma once

#include <span>

#include "cost_model/cost_model.h"

namespace tilth {

inline constexpr int kFewestRows = 8;

struct RankingFigures {
  int groups = 0;
  int rows = 0;                  // in these groups
  double pairwise_accuracy = 0;  // share of the pairs with different times that are in the right order; ties: half
  double accuracy_apart = 0;     // the same of pairs whose times differ by more than kApart: noise left out
  double peak_at_1 = 0;          // best time of all / time of the candidate with the highest score
  double peak_at_5 = 0;          // best time of all / best time among the five highest scores
  double recall_at_30 = 0;       // share of the 30 fastest among the 30 highest scores …
  int recall_groups = 0;         // … in groups of at least 60
};

inline constexpr double kApart = 0.03;

// `scores` has one entry per row of `data`, higher is faster. All zeros where no group is large enough.
RankingFigures EvaluateRanking(std::span<const float> scores, const TrainingSet& data);

// The mean of both, weighted by their groups.
RankingFigures Combine(const RankingFigures& a, const RankingFigures& b);

}  // namespace tilth
