#include "tuner/model_training.h"

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "cost_model/log_time_model.h"
#include "cost_model/validation.h"

namespace tilth {
namespace {

constexpr int kFewestRecords = 64;
constexpr int kFolds = 4;
constexpr uint64_t kSplitSeed = 1;

std::vector<int> WorkloadNumbers(const std::vector<TrainingGroup>& groups) {
  std::map<std::string, int> numbers;
  std::vector<int> number_of_group;
  for (const TrainingGroup& group : groups) {
    number_of_group.push_back(numbers.try_emplace(group.workload_hash, static_cast<int>(numbers.size())).first->second);
  }
  return number_of_group;
}

// On kernels that the model was not trained on: what a network that comes later can expect.
Status ValidateByTask(const TrainingData& data, const XgbOptions& options, ModelInfo* info) {
  const StatusOr<std::vector<Fold>> folds = SplitUnits(data.set, WorkloadNumbers(data.groups), kFolds, kSplitSeed);
  if (!folds.ok()) return absl::OkStatus();
  TILTH_ASSIGN_OR_RETURN(const RankingFigures figures,
                         CrossValidate(data.set, *folds, [&] { return LogTimeModel::Create(options); }));
  if (figures.groups == 0) return absl::OkStatus();
  info->figures["by_task.pairwise_accuracy"] = figures.pairwise_accuracy;
  info->figures["by_task.peak_at_1"] = figures.peak_at_1;
  info->figures["by_task.peak_at_5"] = figures.peak_at_5;
  return absl::OkStatus();
}

}  // namespace

StatusOr<TrainedModel> TrainModel(const TrainingData& data, const XgbOptions& options) {
  if (data.set.rows() < kFewestRecords) {
    return absl::FailedPreconditionError(StrCat("only ", data.set.rows(), " records fit this version's search spaces (",
                                                data.stale_records, " do not); a model needs ", kFewestRecords));
  }
  TrainedModel trained;
  ModelInfo& info = trained.info;
  info.records = data.set.rows();
  info.tasks = static_cast<int64_t>(data.groups.size());
  std::set<std::string> devices;
  for (const TrainingGroup& group : data.groups) {
    devices.insert(group.device_fingerprint);
    if (std::find(info.machines.begin(), info.machines.end(), group.machine) == info.machines.end()) {
      info.machines.push_back(group.machine);
    }
  }
  info.devices.assign(devices.begin(), devices.end());
  TILTH_RETURN_IF_ERROR(ValidateByTask(data, options, &info), "validating");
  TILTH_ASSIGN_OR_RETURN(const std::unique_ptr<LogTimeModel> model, LogTimeModel::Create(options));
  TILTH_RETURN_IF_ERROR(model->Update(data.set), "training");
  TILTH_ASSIGN_OR_RETURN(trained.bytes, PretrainedModel::ToBytes(info, model->forest()));
  return trained;
}

}  // namespace tilth
