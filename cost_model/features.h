// Features of a candidate: a fixed-length vector of numbers computed from its LoopNest, without building any IR. For
// millions of candidates: feature_batch.h.
// docs/features.md has the meaning, formula and unit of each.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "cost_model/feature_matrix.h"
#include "ir/target.h"
#include "search_space/loop_nest.h"
#include "search_space/space.h"

namespace tilth {

// Raised when a feature is added, removed, reordered or changes its meaning; part of every tuning record and model.
inline constexpr int kFeatureVersion = 2;

// Names in the order of the vector.
const std::vector<std::string>& FeatureNames();
int NumFeatures();

// The column of the analytic prior's estimate, log2 of nanoseconds.
int PriorFeature();

// Writes NumFeatures() finite numbers to `out`, which must have that size. Pure; thread-safe.
void ExtractFeatures(const LoopNest& nest, const Target& target, std::span<float> out);

// One row per candidate of `space`, in order.
FeatureMatrix ExtractFeatures(const SearchSpace& space, std::span<const Candidate> candidates);

}  // namespace tilth
