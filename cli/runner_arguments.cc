#include "cli/runner_arguments.h"

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "absl/strings/str_split.h"
#include "base/files.h"
#include "compiler/onnx/import.h"

namespace tilth {

void AddRunnerArguments(CLI::App* command, RunnerArguments* arguments) {
  command->add_option("--threads", arguments->threads, "threads to run on (default: the library's)")
      ->check(CLI::Range(1, 256));
  command->add_option(
      "--runner", arguments->runner,
      "the command that runs tilth-runner, for a library of another machine (default: the one beside tilth)");
  command->add_option("--rtol", arguments->tolerance.rtol, "relative tolerance of outputs (default: 1e-3)")
      ->check(CLI::NonNegativeNumber);
  command->add_option("--atol", arguments->tolerance.atol, "absolute tolerance of outputs (default: 1e-4)")
      ->check(CLI::NonNegativeNumber);
  command->add_flag("--json", arguments->json, "print one JSON document");
}

RunOptions RunOptionsOf(const RunnerArguments& arguments) {
  RunOptions options;
  options.runner = absl::StrSplit(arguments.runner, ' ', absl::SkipEmpty());
  options.threads = arguments.threads;
  return options;
}

StatusOr<std::vector<TensorValue>> ReadTensorFiles(const std::vector<std::string>& paths) {
  std::vector<TensorValue> values;
  for (const std::string& path : paths) {
    TILTH_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
    TILTH_ASSIGN_OR_RETURN(values.emplace_back(), ParseTensorProto(bytes), path);
  }
  return values;
}

StatusOr<std::vector<ComparedOutput>> CompareOutputs(const ModelDescription& model, const std::vector<TensorValue>& got,
                                                     const std::vector<TensorValue>& want, const Tolerance& tolerance) {
  if (got.size() != want.size()) {
    return absl::InvalidArgumentError(StrCat("the model has ", got.size(), " outputs, ", want.size(), " are expected"));
  }
  std::vector<ComparedOutput> compared;
  for (size_t i = 0; i < got.size(); ++i) {
    ComparedOutput& output = compared.emplace_back();
    output.name = model.outputs[i].name;
    TILTH_ASSIGN_OR_RETURN(output.difference, CompareOutput(got[i], want[i], tolerance), "output ", output.name);
    if (!output.difference.passed) output.mismatch = DescribeMismatch(output.difference, got[i]);
  }
  return compared;
}

}  // namespace tilth
