#include "tuner/feature_scorer.h"

#include "search_space/schedule_key.h"

namespace tilth {
namespace {

constexpr int kRowsAtOnce = 512;  // their features stay in the second-level cache until the model has read them

}  // namespace

Status FeatureScorer::Score(std::span<const Candidate> candidates, std::span<float> scores, std::span<uint64_t> keys) {
  numbers_.resize(candidates.size());
  for (size_t i = 0; i < candidates.size(); ++i) {
    const LoopNest nest = space_.Resolve(candidates[i]);
    keys[i] = ScheduleKey(nest);
    const auto [known, is_new] = number_of_.try_emplace(keys[i], static_cast<int>(scores_.size()));
    numbers_[i] = known->second;
    if (!is_new) continue;
    scores_.push_back(0);
    batch_.Add(nest, known->second);
    if (batch_.features().rows() >= kRowsAtOnce) TILTH_RETURN_IF_ERROR(TakeScores());
  }
  batch_.Flush();
  TILTH_RETURN_IF_ERROR(TakeScores());
  for (size_t i = 0; i < candidates.size(); ++i) scores[i] = scores_[static_cast<size_t>(numbers_[i])];
  return absl::OkStatus();
}

// Of the rows that are computed.
Status FeatureScorer::TakeScores() {
  if (batch_.ids().empty()) return absl::OkStatus();
  TILTH_ASSIGN_OR_RETURN(const std::vector<float> predicted, model_.Predict(batch_.features()));
  const std::span<const int> ids = batch_.ids();
  for (size_t row = 0; row < ids.size(); ++row) {
    if (ids[row] >= 0) scores_[static_cast<size_t>(ids[row])] = predicted[row];
  }
  batch_.ClearRows();
  return absl::OkStatus();
}

}  // namespace tilth
