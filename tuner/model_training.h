// Training a model for later sessions from the logs of earlier ones.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "cost_model/pretrained_model.h"
#include "cost_model/xgb_model.h"
#include "tuner/training_data.h"

namespace tilth {

struct TrainedModel {
  ModelInfo info;     // with the figures of a validation by task, where there are enough tasks
  std::string bytes;  // of the model file
};

// Deterministic: the same data and options give the same bytes. FAILED_PRECONDITION: too few records.
StatusOr<TrainedModel> TrainModel(const TrainingData& data, const XgbOptions& options);

}  // namespace tilth
