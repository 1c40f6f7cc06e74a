// When to train, and what.
#include "tuner/learner.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "cost_model/corrected_prior.h"
#include "cost_model/xgb_model.h"

namespace tilth {
namespace {

// A session's few hundred rows are told apart by fewer bins than a log's thousands, and training shares a core with
// builds.
constexpr XgbOptions kSessionForest = {.bins = 16};
constexpr int kFewestNewRows = 8;
constexpr double kNewShare = 0.2;  // training takes time that grows with the data, so train ever more rarely
// Measurements that come in meanwhile, at the least: training must be over by then if nobody is to wait.
constexpr int kFewestDuringTraining = 12;
constexpr double kShareDuringTraining = 0.1;

// The order in which contenders enter.
enum : size_t { kPrior, kCorrectedPrior, kForest, kPretrained, kCorrectedPretrained };

// The beliefs say in which order models are trusted that have not shown anything yet: the more they know, the more.
struct Entry {
  Root root;
  double belief;
  size_t parent;  // whose evidence counts for it until it has its own
};
constexpr Entry kEntries[] = {{Root::kAnalytic, 0.60, kPrior},
                              {Root::kAnalytic, 0.62, kPrior},
                              {Root::kSession, 0.61, kPrior},
                              {Root::kPretrained, 0.65, kPretrained},
                              {Root::kPretrained, 0.66, kPretrained}};

// Entries that the data does not change are null.
StatusOr<std::vector<std::shared_ptr<const CostModel>>> Train(const TrainingSet& data,
                                                              const std::shared_ptr<const CostModel>& pretrained) {
  TILTH_ASSIGN_OR_RETURN(std::shared_ptr<CostModel> corrected, CorrectedPrior::Create(kSessionForest));
  TILTH_ASSIGN_OR_RETURN(std::shared_ptr<CostModel> forest, XgbModel::Create(kSessionForest));
  TILTH_RETURN_IF_ERROR(corrected->Update(data));
  TILTH_RETURN_IF_ERROR(forest->Update(data));
  std::vector<std::shared_ptr<const CostModel>> models = {nullptr, corrected, forest};
  if (pretrained != nullptr) {
    TILTH_ASSIGN_OR_RETURN(std::shared_ptr<CostModel> own, CorrectedPrior::Create(pretrained, kSessionForest));
    TILTH_RETURN_IF_ERROR(own->Update(data));
    models.insert(models.end(), {nullptr, own});
  }
  return models;
}

}  // namespace

Learner::Learner(LearnerOptions options) : options_(std::move(options)) {
  models_.resize(options_.pretrained == nullptr ? kPretrained : kCorrectedPretrained + 1);
  models_[kPrior] = MakeAnalyticModel();
  if (options_.pretrained != nullptr) models_[kPretrained] = options_.pretrained;
  for (size_t i = 0; i < models_.size(); ++i) contenders_.Enter(kEntries[i].root, kEntries[i].belief);
}

Learner::~Learner() = default;

StatusOr<std::unique_ptr<Learner>> Learner::Create(LearnerOptions options) {
  return std::unique_ptr<Learner>(new Learner(std::move(options)));
}

void Learner::Add(int task, std::span<const float> features, double median_ns) {
  const StatusOr<std::vector<float>> scores = ScoreByAll(features);
  if (scores.ok()) {
    contenders_.Observe(task, *scores, median_ns);
  } else {
    scoring_.Update(scores.status());
  }
  data_.Append(features, median_ns, task);
}

StatusOr<std::vector<float>> Learner::ScoreByAll(std::span<const float> features) const {
  FeatureMatrix row;
  row.Append(features);
  std::vector<float> scores;
  for (const std::shared_ptr<const CostModel>& model : models_) {
    if (model == nullptr) {
      scores.push_back(std::numeric_limits<float>::quiet_NaN());
      continue;
    }
    TILTH_ASSIGN_OR_RETURN(const std::vector<float> score, model->Predict(row), model->name());
    scores.push_back(score.front());
  }
  return scores;
}

Status Learner::Refresh() {
  TILTH_RETURN_IF_ERROR(scoring_, "scoring a measurement");
  if (training_ != nullptr && data_.rows() >= training_->take_over_at) TILTH_RETURN_IF_ERROR(TakeOver());
  const int fresh = data_.rows() - trained_rows_;
  if (training_ != nullptr || fresh < std::max(kFewestNewRows, static_cast<int>(kNewShare * data_.rows()))) {
    return absl::OkStatus();
  }
  StartTraining();
  return training_->take_over_at <= data_.rows() ? TakeOver() : absl::OkStatus();
}

void Learner::StartTraining() {
  training_ = std::make_unique<Training>();
  const int meanwhile = std::max(kFewestDuringTraining, static_cast<int>(kShareDuringTraining * data_.rows()));
  // The first time waiting is better than going on without, above all in a session that continues.
  training_->take_over_at = data_.rows() + (trained_rows_ == 0 ? 0 : meanwhile);
  training_->models = std::async(std::launch::async, Train, data_, options_.pretrained);
  trained_rows_ = data_.rows();
}

Status Learner::TakeOver() {
  StatusOr<Models> models = training_->models.get();
  training_.reset();
  TILTH_RETURN_IF_ERROR(models.status(), "training the cost model on ", trained_rows_, " measurements");
  for (size_t i = 0; i < models_.size(); ++i) {
    if ((*models)[i] == nullptr) continue;
    if (models_[i] == nullptr) contenders_.Inherit(static_cast<int>(i), static_cast<int>(kEntries[i].parent));
    models_[i] = std::move((*models)[i]);
  }
  contenders_.BeginEpoch();
  return absl::OkStatus();
}

std::shared_ptr<const CostModel> Learner::Choose() {
  std::vector<bool> ready;
  for (const std::shared_ptr<const CostModel>& model : models_) ready.push_back(model != nullptr);
  return models_[static_cast<size_t>(contenders_.Choose(ready))];
}

}  // namespace tilth
