#include "cli/model_arguments.h"

#include <charconv>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "base/files.h"
#include "base/hash.h"
#include "compiler/onnx/import.h"

namespace tilth {
namespace {

StatusOr<ImportOptions> ParseDimensions(const std::vector<std::string>& texts) {
  ImportOptions options;
  for (const std::string& text : texts) {
    const size_t equals = text.find('=');
    int64_t extent = 0;
    const char* const end = text.data() + text.size();
    if (equals == std::string::npos || equals == 0 ||
        std::from_chars(text.data() + equals + 1, end, extent).ptr != end || extent < 1) {
      return absl::InvalidArgumentError(
          StrCat("--dim ", text, ": give a name and a positive extent, as in --dim batch=1"));
    }
    options.dimensions[text.substr(0, equals)] = extent;
  }
  return options;
}

}  // namespace

void AddTargetArguments(CLI::App* command, ModelArguments* arguments) {
  command->add_option("--target", arguments->target,
                      "what to generate code for: native, a preset such as rpi4, or KEY=VALUE,… (default: native)");
  command->add_option("--dim", arguments->dimensions, "the extent of a dynamic dimension, as batch=1; may be repeated")
      ->take_all()
      ->allow_extra_args(false);
}

void AddModelArguments(CLI::App* command, ModelArguments* arguments) {
  command->add_option("MODEL", arguments->model, "the ONNX file")->required();
  AddTargetArguments(command, arguments);
}

StatusOr<LoadedModel> LoadModel(const ModelArguments& arguments) {
  LoadedModel model;
  TILTH_ASSIGN_OR_RETURN(model.target, ParseTarget(arguments.target), "--target ", arguments.target);
  TILTH_ASSIGN_OR_RETURN(const ImportOptions options, ParseDimensions(arguments.dimensions));
  TILTH_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(arguments.model));
  model.model_hash = ContentHash(bytes);
  TILTH_ASSIGN_OR_RETURN(Graph graph, ImportOnnx(bytes, options), arguments.model);
  TILTH_ASSIGN_OR_RETURN(model.partition, PartitionGraph(std::move(graph)), arguments.model);
  return model;
}

}  // namespace tilth
