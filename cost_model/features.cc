// Names, and the convenient forms; the values are computed by cost_model/kernels.
#include "cost_model/features.h"

#include <algorithm>
#include <cmath>

#include "base/status.h"
#include "cost_model/feature_batch.h"

namespace tilth {
namespace {

constexpr int kTopAccesses = 4;
constexpr const char* kPriorName = "prior.time";

constexpr const char* kNames[] = {
#define FEATURE(name, value) name,
#include "cost_model/kernels/feature_table.inc"
#undef FEATURE
};
constexpr const char* kCacheFeatures[] = {"footprint", "fill", "traffic", "intensity", "entries"};
constexpr const char* kAccessFeatures[] = {"l1_traffic", "l2_traffic", "stride", "run", "operations", "kind"};

std::vector<std::string> MakeNames() {
  std::vector<std::string> names(std::begin(kNames), std::end(kNames));
  for (int level = 1; level <= kCacheLevels; ++level) {
    for (const char* name : kCacheFeatures) names.push_back(StrCat("l", level, ".", name));
  }
  for (int access = 1; access <= kTopAccesses; ++access) {
    for (const char* name : kAccessFeatures) names.push_back(StrCat("access", access, ".", name));
  }
  return names;
}

}  // namespace

const std::vector<std::string>& FeatureNames() {
  static const auto* const kAll = new std::vector<std::string>(MakeNames());
  return *kAll;
}

int NumFeatures() {
  return static_cast<int>(std::size(kNames) + kCacheLevels * std::size(kCacheFeatures) +
                          kTopAccesses * std::size(kAccessFeatures));
}

int PriorFeature() {
  static const int kColumn = [] {
    const auto& names = FeatureNames();
    return static_cast<int>(std::find(names.begin(), names.end(), kPriorName) - names.begin());
  }();
  return kColumn;
}

void ExtractFeatures(const LoopNest& nest, const Target& target, std::span<float> out) {
  TILTH_CHECK(static_cast<int>(out.size()) == NumFeatures());
  FeatureBatch batch(target);
  batch.Add(nest, 0);
  batch.Flush();
  const std::vector<float> row = batch.features().row(0);
  std::copy(row.begin(), row.end(), out.begin());
}

FeatureMatrix ExtractFeatures(const SearchSpace& space, std::span<const Candidate> candidates) {
  FeatureBatch batch(space.target());
  for (size_t i = 0; i < candidates.size(); ++i) batch.Add(space.Resolve(candidates[i]), static_cast<int>(i));
  batch.Flush();
  FeatureMatrix matrix(NumFeatures());
  matrix.Resize(static_cast<int>(candidates.size()));
  for (size_t from = 0; from < batch.ids().size(); ++from) {
    const int to = batch.ids()[from];
    if (to >= 0) matrix.CopyRow(batch.features(), static_cast<int>(from), to);
  }
  return matrix;
}

}  // namespace tilth
