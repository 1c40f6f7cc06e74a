// How `tilth run` and `tilth check` execute a library, and how they read test data.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "compiler/package/compare_outputs.h"
#include "compiler/package/run_package.h"

namespace CLI {
class App;
}

namespace tilth {

struct RunnerArguments {
  std::string runner;  // a command line, split at blanks; empty: the tilth-runner beside this program
  int threads = 0;
  Tolerance tolerance;
  bool json = false;
};

// Declares --threads, --runner, --rtol, --atol and --json; the arguments outlive the parse.
void AddRunnerArguments(CLI::App* command, RunnerArguments* arguments);

RunOptions RunOptionsOf(const RunnerArguments& arguments);

// The tensors of .pb files; an error names the file.
StatusOr<std::vector<TensorValue>> ReadTensorFiles(const std::vector<std::string>& paths);

// One output of a model against the expected one.
struct ComparedOutput {
  std::string name;
  OutputDifference difference;
  std::string mismatch;  // where and how they differ; empty if they agree
};

// Errors: another number of outputs, or another shape or type of one, than expected.
StatusOr<std::vector<ComparedOutput>> CompareOutputs(const ModelDescription& model, const std::vector<TensorValue>& got,
                                                     const std::vector<TensorValue>& want, const Tolerance& tolerance);

}  // namespace tilth
