#include "cost_model/corrected_prior.h"

#include <algorithm>
#include <cmath>

namespace tilth {
namespace {

// The forest predicts best / ratio, which is about 1 for the candidates that beat the prior most and 0 for failures;
// below this a prediction is noise, and its logarithm would be, too.
constexpr float kSmallest = 0.02f;

}  // namespace

StatusOr<std::unique_ptr<CorrectedPrior>> CorrectedPrior::Create(const XgbOptions& options) {
  return Create(MakeAnalyticModel(), options);
}

StatusOr<std::unique_ptr<CorrectedPrior>> CorrectedPrior::Create(std::shared_ptr<const CostModel> prior,
                                                                 const XgbOptions& options) {
  TILTH_ASSIGN_OR_RETURN(std::unique_ptr<XgbModel> correction, XgbModel::Create(options));
  return std::unique_ptr<CorrectedPrior>(new CorrectedPrior(std::move(prior), std::move(correction)));
}

Status CorrectedPrior::Update(const TrainingSet& data) {
  TILTH_ASSIGN_OR_RETURN(const std::vector<float> prior, prior_->Predict(data.features));
  TrainingSet errors = data;
  for (size_t i = 0; i < std::min(prior.size(), errors.median_ns.size()); ++i) {
    errors.median_ns[i] *= std::exp2(static_cast<double>(prior[i]));  // scores are minus log2 of the estimate
  }
  TILTH_RETURN_IF_ERROR(correction_->Update(errors));
  trained_ = true;
  return absl::OkStatus();
}

StatusOr<std::vector<float>> CorrectedPrior::Predict(const FeatureMatrix& features) const {
  TILTH_ASSIGN_OR_RETURN(std::vector<float> scores, prior_->Predict(features));
  if (!trained_) return scores;
  TILTH_ASSIGN_OR_RETURN(const std::vector<float> corrections, correction_->Predict(features));
  for (size_t i = 0; i < scores.size(); ++i) scores[i] += std::log2(std::max(kSmallest, corrections[i]));
  return scores;
}

}  // namespace tilth
