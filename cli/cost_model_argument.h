// The argument of commands that choose schedules: which model of earlier measurements guides them.
#pragma once

#include <memory>
#include <string>

#include "cost_model/pretrained_model.h"

namespace CLI {
class App;
}

namespace tilth {

// Declares --model; sets `*model` to the default, the shipped model, unless it is given. `model` outlives the parse.
void AddCostModelArgument(CLI::App* command, std::string* model);

// The model in a file, whatever it has seen; for "none" null; for "" the shipped one, or null where it does not fit
// the target.
StatusOr<std::shared_ptr<const PretrainedModel>> OpenCostModel(const std::string& model, const Target& target);

}  // namespace tilth
