// Evolution guided by a cost model: generations of mutations and crossovers from the best measured candidates, the
// default and random ones; then a climb over single-knob neighbours; then the best by score, with a few at random.
#pragma once

#include <memory>

#include "tuner/search_policy.h"

namespace tilth {

struct EvolutionOptions {
  int population = 2560;
  int generations = 4;
  int elites = 24;  // best measured candidates that found the population
  double crossover_share = 0.2;
  int climbs = 4;  // candidates whose neighbours are all scored, and climbed from
  int climb_steps = 3;
  int least_difference = 3;    // knobs in which two proposals of one batch differ
  double random_share = 0.05;  // of the proposals
  // Spaces of at most this size are scored completely instead.
  uint64_t enumerate_below = 2048;
};

std::unique_ptr<SearchPolicy> MakeEvolutionarySearch(const EvolutionOptions& options = {});

}  // namespace tilth
