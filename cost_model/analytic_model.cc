// The CostModel that reads the prior's estimate out of the features.
#include "cost_model/cost_model.h"
#include "cost_model/features.h"

namespace tilth {
namespace {

class AnalyticModel : public CostModel {
 public:
  std::string name() const override { return "analytic"; }

  Status Update(const TrainingSet&) override { return absl::OkStatus(); }

  StatusOr<std::vector<float>> Predict(const FeatureMatrix& features) const override {
    if (features.rows() > 0 && features.columns() != NumFeatures()) {
      return absl::InvalidArgumentError(StrCat("analytic model: rows of ", features.columns(),
                                               " features, but feature version ", kFeatureVersion, " has ",
                                               NumFeatures()));
    }
    std::vector<float> scores;
    scores.reserve(static_cast<size_t>(features.rows()));
    for (int i = 0; i < features.rows(); ++i) scores.push_back(-features.at(i, PriorFeature()));
    return scores;
  }
};

}  // namespace

std::unique_ptr<CostModel> MakeAnalyticModel() { return std::make_unique<AnalyticModel>(); }

}  // namespace tilth
