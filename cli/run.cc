// `tilth run`: runs and times a library made by `tilth build`.
#include <iostream>
#include <memory>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "cli/commands.h"
#include "cli/runner_arguments.h"
#include "cli/table.h"
#include "nlohmann/json.hpp"

namespace tilth {
namespace {

using Json = nlohmann::ordered_json;

constexpr uint64_t kInputSeed = 1;

struct Arguments {
  std::string directory;
  std::vector<std::string> inputs, expected;
  int repeat = 30;
  RunnerArguments runner;
};

void PrintJson(const RunReport& report) {
  Json document = {{"median_ns", report.median_ns},
                   {"p10_ns", report.p10_ns},
                   {"p90_ns", report.p90_ns},
                   {"threads", report.threads},
                   {"kernels", Json::array()}};
  for (const KernelTime& kernel : report.kernels) {
    document["kernels"].push_back({{"name", kernel.name},
                                   {"median_ns", kernel.median_ns},
                                   {"tuned", kernel.tuned},
                                   {"predicted", kernel.predicted}});
  }
  std::cout << document.dump(2) << "\n";
}

void PrintTable(const ModelDescription& model, const RunReport& report) {
  double kernels_ns = 0;
  for (const KernelTime& kernel : report.kernels) kernels_ns += kernel.median_ns;
  Table table({{"kernel", Column::kFlexible}, {"time", Column::kNumber}, {"share", Column::kNumber}, {"schedule"}});
  for (const KernelTime& kernel : report.kernels) {
    table.AddRow({kernel.name, FormatDuration(kernel.median_ns),
                  absl::StrFormat("%.1f %%", kernels_ns > 0 ? 100 * kernel.median_ns / kernels_ns : 0),
                  kernel.tuned ? "tuned" : (kernel.predicted ? "predicted" : "default")});
  }
  std::cout << table.Render(TerminalWidth()) << model.name << ": " << FormatDuration(report.median_ns)
            << " (10 % of runs " << FormatDuration(report.p10_ns) << " or less, 90 % " << FormatDuration(report.p90_ns)
            << "), " << report.threads << (report.threads == 1 ? " thread\n" : " threads\n");
}

StatusOr<int> Run(const Arguments& arguments) {
  TILTH_ASSIGN_OR_RETURN(const ModelDescription model, ReadPackage(arguments.directory));
  TILTH_ASSIGN_OR_RETURN(std::vector<TensorValue> inputs, ReadTensorFiles(arguments.inputs));
  TILTH_ASSIGN_OR_RETURN(const std::vector<TensorValue> expected, ReadTensorFiles(arguments.expected));
  if (arguments.inputs.empty()) inputs = RandomInputs(model, kInputSeed);
  RunOptions options = RunOptionsOf(arguments.runner);
  options.repeat = arguments.repeat;
  TILTH_ASSIGN_OR_RETURN(const RunReport report, RunPackage(arguments.directory, model, inputs, options));
  if (arguments.runner.json) {
    PrintJson(report);
  } else {
    PrintTable(model, report);
  }
  if (expected.empty()) return kExitOk;

  TILTH_ASSIGN_OR_RETURN(const std::vector<ComparedOutput> outputs,
                         CompareOutputs(model, report.outputs, expected, arguments.runner.tolerance), "--expect");
  for (const ComparedOutput& output : outputs) {
    if (output.difference.passed) continue;
    return absl::DataLossError(StrCat("output ", output.name, " is not as expected: ", output.mismatch));
  }
  if (!arguments.runner.json) std::cout << "all outputs are as expected\n";
  return kExitOk;
}

}  // namespace

void AddRunCommand(CLI::App& app, int* exit_code) {
  CLI::App* command = app.add_subcommand("run", "Runs and times a library made by 'tilth build'");
  command->footer("Example:\n  tilth run out --inputs input_0.pb --expect output_0.pb --repeat 50 --threads 2");
  const auto arguments = std::make_shared<Arguments>();
  command->add_option("DIR", arguments->directory, "what 'tilth build -o' wrote")->required();
  command->add_option("--inputs", arguments->inputs, "serialised ONNX tensors, one per input (default: random values)")
      ->delimiter(',')
      ->allow_extra_args(false);
  command->add_option("--expect", arguments->expected, "serialised ONNX tensors to compare the outputs with")
      ->delimiter(',')
      ->allow_extra_args(false);
  command->add_option("--repeat", arguments->repeat, "timed runs (default: 30)")->check(CLI::Range(1, 1000000));
  AddRunnerArguments(command, &arguments->runner);
  command->callback([arguments, exit_code] {
    const StatusOr<int> result = Run(*arguments);
    *exit_code = result.ok() ? *result : ReportError("run", result.status());
  });
}

}  // namespace tilth
