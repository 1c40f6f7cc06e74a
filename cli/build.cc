// `tilth build`: compiles a model into a library.
#include <iostream>
#include <memory>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "base/files.h"
#include "cli/artifact_cache_argument.h"
#include "cli/build_model.h"
#include "cli/commands.h"
#include "cli/cost_model_argument.h"
#include "cli/table.h"
#include "nlohmann/json.hpp"

namespace tilth {
namespace {

struct Arguments {
  BuildArguments build;
  std::string output;
  bool json = false;
};

// The share of calls whose kernel is tuned is what a user wants to know first.
void PrintSummary(const Package& package, const std::string& directory) {
  const ModelDescription& model = package.description;
  size_t tuned_calls = 0, tuned_kernels = 0, predicted_kernels = 0;
  for (const int kernel : model.calls) tuned_calls += model.kernels[kernel].tuned;
  for (const KernelDescription& kernel : model.kernels) {
    tuned_kernels += kernel.tuned;
    predicted_kernels += kernel.predicted_gain > 0;
  }
  std::cout << directory << "/lib" << model.name << ".so: " << model.kernels.size() << " kernels (" << tuned_kernels
            << " tuned, " << predicted_kernels << " predicted) in " << model.calls.size() << " calls (" << tuned_calls
            << " tuned), weights " << FormatBytes(model.weight_bytes) << ", working memory "
            << FormatBytes(model.arena_bytes) << "\n";
  if (tuned_kernels < model.kernels.size()) {
    std::cout
        << "the others have schedules that a cost model expects to be fast, or their defaults; 'tilth tune' finds "
           "better ones\n";
  }
  std::cout << "run it: tilth run " << directory << "\n";
}

StatusOr<int> Build(const Arguments& arguments) {
  // An output that cannot be written should be told before the work, not after it.
  TILTH_RETURN_IF_ERROR(MakeDirectories(arguments.output), "-o ", arguments.output);
  const std::string probe = StrCat(arguments.output, "/.tilth-build");
  TILTH_RETURN_IF_ERROR(WriteFile(probe, ""), "-o ", arguments.output, " cannot be written; choose another directory");
  TILTH_RETURN_IF_ERROR(RemoveFile(probe));

  TILTH_ASSIGN_OR_RETURN(const Package package, BuildModel(arguments.build));
  TILTH_RETURN_IF_ERROR(WritePackage(package, arguments.output), "writing the package");
  if (arguments.json) {
    std::cout << ManifestJson(package.description);
  } else {
    PrintSummary(package, arguments.output);
  }
  return kExitOk;
}

}  // namespace

void AddBuildCommand(CLI::App& app, int* exit_code) {
  CLI::App* command = app.add_subcommand("build", "Compiles a model into a library, with what a tuning log knows");
  command->footer("Example:\n  tilth build model.onnx --log tuning.db -o out --threads 2");
  const auto arguments = std::make_shared<Arguments>();
  AddModelArguments(command, &arguments->build.model);
  command->add_option("--log", arguments->build.log, "the tuning log to choose schedules from (default: none)");
  command->add_option("-o,--output", arguments->output, "the directory to write into")->required();
  command->add_option("--name", arguments->build.name, "the library is libNAME.so (default: from the model's path)");
  command
      ->add_option("--threads", arguments->build.threads,
                   "threads that the library uses unless told otherwise (default: all CPUs)")
      ->check(CLI::Range(1, 256));
  AddCostModelArgument(command, &arguments->build.cost_model);
  AddArtifactCacheArgument(command, &arguments->build.artifact_cache);
  command->add_flag("--strict", arguments->build.strict, "fail if a kernel is not tuned");
  command->add_flag("--json", arguments->json, "print the manifest");
  command->callback([arguments, exit_code] {
    const StatusOr<int> result = Build(*arguments);
    *exit_code = result.ok() ? *result : ReportError("build", result.status());
  });
}

}  // namespace tilth
