// Runs the library of a package in a child process, so that a library for another machine (under an emulator), or a bad
// one, cannot harm this process.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "compiler/package/model_description.h"
#include "ir/interpreter.h"

namespace tilth {

struct RunOptions {
  // The command that runs tilth-runner, such as {"qemu-aarch64", "-L", "/usr/aarch64-linux-gnu", "arm/tilth-runner"};
  // empty: the tilth-runner beside this program.
  std::vector<std::string> runner;
  int threads = 0;  // 0: the library's default
  int warmup = 3;
  int repeat = 30;  // timed runs, at least 1; more, within limits, to make up for interrupted ones
};

struct KernelTime {
  std::string name;
  double median_ns = 0;
  bool tuned = false;
  bool predicted = false;  // the schedule is a cost model's choice
};

struct RunReport {
  std::vector<TensorValue> outputs;
  int threads = 0;
  // Of the runs without an involuntary context switch, if these are at least a tenth of all; otherwise of all.
  double median_ns = 0, p10_ns = 0, p90_ns = 0;
  std::vector<KernelTime> kernels;  // one per call, in order of execution
};

// The description in `directory`/manifest.json. NOT_FOUND, with the remedy, if there is none.
StatusOr<ModelDescription> ReadPackage(const std::string& directory);

// Runs `directory`/libNAME.so on `inputs`, one value per input of the model with its dtype and number of elements.
// Errors: INVALID_ARGUMENT for inputs that do not fit, NOT_FOUND for a runner that is not there, FAILED_PRECONDITION
// when the library does not load or run on this machine.
StatusOr<RunReport> RunPackage(const std::string& directory, const ModelDescription& model,
                               const std::vector<TensorValue>& inputs, const RunOptions& options);

// Seeded inputs that fit the model.
std::vector<TensorValue> RandomInputs(const ModelDescription& model, uint64_t seed);

}  // namespace tilth
