// `tilth zoo`: writes well-known networks with random weights, as test cases to try Tilth on.
#include <iostream>
#include <memory>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "base/files.h"
#include "cli/commands.h"
#include "cli/table.h"
#include "compiler/graph/execute.h"
#include "compiler/onnx/import.h"
#include "compiler/onnx/zoo/zoo.h"
#include "nlohmann/json.hpp"

namespace tilth {
namespace {

struct Arguments {
  std::string name;
  std::string output;
  uint64_t seed = 1;
  bool reference = false;
  bool json = false;
};

int List(const Arguments& arguments) {
  if (arguments.json) {
    nlohmann::ordered_json document = {{"models", nlohmann::ordered_json::array()}};
    for (const ZooModel& model : ListZoo())
      document["models"].push_back({{"name", model.name}, {"description", model.description}});
    std::cout << document.dump(2) << "\n";
    return kExitOk;
  }
  Table table({{"NAME"}, {"WHAT IT IS", Column::kFlexible}});
  for (const ZooModel& model : ListZoo()) table.AddRow({model.name, model.description});
  std::cout << table.Render(TerminalWidth());
  return kExitOk;
}

// Outputs of the reference interpreter, which takes about a second per hundred million multiply-adds.
Status WriteReference(const ZooTestCase& made, const std::string& directory) {
  TILTH_ASSIGN_OR_RETURN(const Graph graph, ImportOnnx(made.model));
  TILTH_ASSIGN_OR_RETURN(const std::vector<TensorValue> outputs, ExecuteReference(graph, made.inputs));
  for (size_t i = 0; i < outputs.size(); ++i) {
    const std::string& name = graph.tensors[graph.outputs[i]].tensor.name;
    TILTH_RETURN_IF_ERROR(WriteFile(StrCat(directory, "/output_", i, ".pb"), SerializeTensorProto(outputs[i], name)));
  }
  return absl::OkStatus();
}

StatusOr<int> Make(const Arguments& arguments) {
  TILTH_ASSIGN_OR_RETURN(const ZooTestCase made, MakeZooModel(arguments.name, arguments.seed));
  const std::string data = StrCat(arguments.output, "/test_data_set_0"),
                    model = StrCat(arguments.output, "/model.onnx");
  TILTH_RETURN_IF_ERROR(MakeDirectories(data), "-o ", arguments.output);
  TILTH_RETURN_IF_ERROR(WriteFile(model, made.model));
  for (size_t i = 0; i < made.inputs.size(); ++i) {
    TILTH_RETURN_IF_ERROR(
        WriteFile(StrCat(data, "/input_", i, ".pb"), SerializeTensorProto(made.inputs[i], made.input_names[i])));
  }
  if (arguments.reference) TILTH_RETURN_IF_ERROR(WriteReference(made, data), "computing reference outputs");
  if (arguments.json) {
    std::cout << nlohmann::ordered_json{{"model", model}, {"bytes", made.model.size()}}.dump(2) << "\n";
  } else {
    std::cout << model << ": " << FormatBytes(static_cast<int64_t>(made.model.size())) << "\ntune it: tilth tune "
              << model << " --log tuning.db\n";
  }
  return kExitOk;
}

}  // namespace

void AddZooCommand(CLI::App& app, int* exit_code) {
  CLI::App* command = app.add_subcommand("zoo", "Writes well-known networks with random weights, to try Tilth on");
  command->footer("Example:\n  tilth zoo make mobilenetv2 -o mobilenetv2");
  command->require_subcommand(1);
  const auto arguments = std::make_shared<Arguments>();

  CLI::App* list = command->add_subcommand("list", "Lists the networks");
  list->footer("Example:\n  tilth zoo list");
  list->add_flag("--json", arguments->json, "print one JSON document");
  list->callback([arguments, exit_code] { *exit_code = List(*arguments); });

  CLI::App* make = command->add_subcommand("make", "Writes model.onnx and test_data_set_0 into a directory");
  make->footer("Example:\n  tilth zoo make resnet50 -o resnet50");
  make->add_option("NAME", arguments->name, "one of 'tilth zoo list'")->required();
  make->add_option("-o,--output", arguments->output, "the directory to write into")->required();
  make->add_option("--seed", arguments->seed, "of the random weights and inputs (default: 1)");
  make->add_flag("--reference", arguments->reference,
                 "compute the outputs, too, with the (slow) reference interpreter");
  make->add_flag("--json", arguments->json, "print one JSON document");
  make->callback([arguments, exit_code] {
    const StatusOr<int> result = Make(*arguments);
    *exit_code = result.ok() ? *result : ReportError("zoo make", result.status());
  });
}

}  // namespace tilth
