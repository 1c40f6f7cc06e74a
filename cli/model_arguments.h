// The arguments that every subcommand about a model has, and the model that they mean.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "compiler/graph/partition.h"
#include "ir/target.h"

namespace CLI {
class App;
}

namespace tilth {

struct ModelArguments {
  std::string model;                    // path of the ONNX file
  std::string target = "native";        // what ParseTarget takes
  std::vector<std::string> dimensions;  // "batch=1"
};

// Declares --target and --dim; both outlive the parse.
void AddTargetArguments(CLI::App* command, ModelArguments* arguments);
// … and MODEL.onnx.
void AddModelArguments(CLI::App* command, ModelArguments* arguments);

struct LoadedModel {
  Partition partition;
  Target target;
  std::string model_hash;  // ContentHash of the file
};

// Reads, imports and partitions the model. Errors name the file, or the argument that makes no sense.
StatusOr<LoadedModel> LoadModel(const ModelArguments& arguments);

}  // namespace tilth
