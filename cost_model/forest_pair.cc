#include "cost_model/forest_pair.h"

namespace tilth {

StatusOr<std::unique_ptr<ForestPair>> ForestPair::Create(const XgbOptions& options) {
  TILTH_ASSIGN_OR_RETURN(std::unique_ptr<LogTimeModel> log_time, LogTimeModel::Create(options));
  TILTH_ASSIGN_OR_RETURN(std::unique_ptr<XgbModel> share, XgbModel::Create(options));
  return std::unique_ptr<ForestPair>(new ForestPair(std::move(log_time), std::move(share)));
}

Status ForestPair::Update(const TrainingSet& data) {
  TILTH_RETURN_IF_ERROR(log_time_->Update(data));
  return share_->Update(data);
}

StatusOr<std::vector<float>> ForestPair::Predict(const FeatureMatrix& features) const {
  TILTH_ASSIGN_OR_RETURN(std::vector<float> scores, log_time_->Predict(features));
  TILTH_ASSIGN_OR_RETURN(const std::vector<float> shares, share_->Predict(features));
  for (size_t i = 0; i < scores.size(); ++i) scores[i] += 2 * shares[i];
  return scores;
}

}  // namespace tilth
