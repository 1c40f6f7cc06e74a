// `tilth check`: builds a model and compares what it computes with an ONNX test case.
#include <algorithm>
#include <iostream>
#include <memory>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "base/files.h"
#include "cli/build_model.h"
#include "cli/commands.h"
#include "cli/runner_arguments.h"
#include "cli/table.h"
#include "nlohmann/json.hpp"

namespace tilth {
namespace {

using Json = nlohmann::ordered_json;

struct Arguments {
  std::string directory;
  BuildArguments build;
  RunnerArguments runner;
};

// One test_data_set_N of the ONNX backend-test layout.
struct DataSet {
  std::string name;
  std::vector<std::string> inputs, outputs;  // paths, by number
};

// directory/PREFIX_0.pb, directory/PREFIX_1.pb, … as far as they go.
std::vector<std::string> NumberedFiles(const std::string& directory, std::string_view prefix) {
  std::vector<std::string> paths;
  for (int i = 0;; ++i) {
    const std::string path = StrCat(directory, "/", prefix, "_", i, ".pb");
    if (!FileExists(path)) return paths;
    paths.push_back(path);
  }
}

StatusOr<std::vector<DataSet>> FindDataSets(const std::string& directory) {
  TILTH_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDirectory(directory));
  std::vector<DataSet> sets;
  for (const std::string& name : names) {
    if (name.rfind("test_data_set_", 0) != 0) continue;
    const std::string path = StrCat(directory, "/", name);
    DataSet set = {name, NumberedFiles(path, "input"), NumberedFiles(path, "output")};
    if (set.outputs.empty()) {
      return absl::NotFoundError(StrCat(path, " has no output_0.pb: there is nothing to compare with"));
    }
    sets.push_back(std::move(set));
  }
  if (sets.empty()) {
    return absl::NotFoundError(StrCat(directory,
                                      " has no test_data_set_0: an ONNX test case has model.onnx and "
                                      "test_data_set_*/input_*.pb, output_*.pb"));
  }
  return sets;
}

void Print(const std::vector<std::pair<std::string, ComparedOutput>>& outputs, bool passed, bool json) {
  if (json) {
    Json document = {{"passed", passed}, {"outputs", Json::array()}};
    for (const auto& [set, output] : outputs) {
      document["outputs"].push_back({{"name", output.name},
                                     {"max_abs_error", output.difference.max_abs_error},
                                     {"max_rel_error", output.difference.max_rel_error},
                                     {"data_set", set},
                                     {"passed", output.difference.passed}});
    }
    std::cout << document.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
    return;
  }
  Table table({{"data set"},
               {"output", Column::kFlexible},
               {"max abs error", Column::kNumber},
               {"max rel error", Column::kNumber},
               {"verdict"}});
  for (const auto& [set, output] : outputs) {
    table.AddRow({set, output.name, absl::StrFormat("%.2e", output.difference.max_abs_error),
                  absl::StrFormat("%.2e", output.difference.max_rel_error),
                  output.difference.passed ? "passed" : "FAILED"});
  }
  std::cout << table.Render(TerminalWidth());
}

StatusOr<int> Check(Arguments arguments) {
  arguments.build.model.model = StrCat(arguments.directory, "/model.onnx");
  TILTH_ASSIGN_OR_RETURN(const std::vector<DataSet> sets, FindDataSets(arguments.directory));
  TILTH_ASSIGN_OR_RETURN(const Package package, BuildModel(arguments.build));
  TILTH_ASSIGN_OR_RETURN(const TempDir built, TempDir::Create("tilth-check"));
  TILTH_RETURN_IF_ERROR(WritePackage(package, built.path()));

  RunOptions options = RunOptionsOf(arguments.runner);
  options.warmup = 0;
  options.repeat = 1;
  std::vector<std::pair<std::string, ComparedOutput>> compared;
  for (const DataSet& set : sets) {
    TILTH_ASSIGN_OR_RETURN(const std::vector<TensorValue> inputs, ReadTensorFiles(set.inputs));
    TILTH_ASSIGN_OR_RETURN(const std::vector<TensorValue> expected, ReadTensorFiles(set.outputs));
    TILTH_ASSIGN_OR_RETURN(const RunReport report, RunPackage(built.path(), package.description, inputs, options),
                           set.name);
    TILTH_ASSIGN_OR_RETURN(std::vector<ComparedOutput> outputs,
                           CompareOutputs(package.description, report.outputs, expected, arguments.runner.tolerance),
                           set.name);
    for (ComparedOutput& output : outputs) compared.emplace_back(set.name, std::move(output));
  }
  const auto failed =
      std::find_if(compared.begin(), compared.end(), [](const auto& entry) { return !entry.second.difference.passed; });
  Print(compared, failed == compared.end(), arguments.runner.json);
  if (failed == compared.end()) return kExitOk;
  return absl::DataLossError(StrCat(failed->first, ": output ", failed->second.name, ": ", failed->second.mismatch));
}

}  // namespace

void AddCheckCommand(CLI::App& app, int* exit_code) {
  CLI::App* command = app.add_subcommand("check", "Builds a model and compares its outputs with an ONNX test case");
  command->footer("Example:\n  tilth check models/resnet50 --log tuning.db --threads 2");
  const auto arguments = std::make_shared<Arguments>();
  command->add_option("DIR", arguments->directory, "holds model.onnx and test_data_set_*")->required();
  command->add_option("--log", arguments->build.log, "the tuning log to choose schedules from (default: none)");
  AddTargetArguments(command, &arguments->build.model);
  AddRunnerArguments(command, &arguments->runner);
  command->callback([arguments, exit_code] {
    const StatusOr<int> result = Check(*arguments);
    *exit_code = result.ok() ? *result : ReportError("check", result.status());
  });
}

}  // namespace tilth
