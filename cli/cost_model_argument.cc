#include "cli/cost_model_argument.h"

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"

namespace tilth {

void AddCostModelArgument(CLI::App* command, std::string* model) {
  model->clear();
  command->add_option(
      "--model", *model,
      "a cost model of 'tilth model train' to begin with; none: only what is measured (default: the one "
      "that Tilth ships, where it fits the target)");
}

StatusOr<std::shared_ptr<const PretrainedModel>> OpenCostModel(const std::string& model, const Target& target) {
  if (model == "none") return nullptr;
  if (model.empty()) {
    const StatusOr<std::shared_ptr<const PretrainedModel>> shipped = ShippedModel();
    // Nobody asked for it: a build from sources whose features have moved on does without.
    return shipped.ok() && (*shipped)->Fits(target) ? *shipped : nullptr;
  }
  TILTH_ASSIGN_OR_RETURN(std::shared_ptr<const PretrainedModel> own, PretrainedModel::ReadFile(model), "--model");
  return own;
}

}  // namespace tilth
