#include "compiler/package/run_package.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "absl/strings/str_join.h"
#include "base/files.h"
#include "base/statistics.h"
#include "base/subprocess.h"

namespace tilth {
namespace {

using Json = nlohmann::json;

constexpr int64_t kRunDeadlineMs = int64_t{3600} * 1000;  // emulated models take minutes
constexpr std::string_view kReplyPrefix = "reply ";       // rpc_agent/runner/model_mode.cc
constexpr size_t kMaxQuotedError = 2000;
// An interrupted run is longer than the model takes. When nearly all are interrupted (a model that takes longer than a
// time slice, on a busy machine), the few others are no fair choice either.
constexpr double kMinCleanShare = 0.1;

Status CheckInputs(const ModelDescription& model, const std::vector<TensorValue>& inputs) {
  if (inputs.size() != model.inputs.size()) {
    return absl::InvalidArgumentError(
        StrCat("the model ", model.name, " has ", model.inputs.size(), " inputs, ", inputs.size(), " were given"));
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Tensor& wanted = model.inputs[i];
    if (inputs[i].dtype == wanted.dtype && NumElements(inputs[i].shape) == NumElements(wanted.shape)) continue;
    return absl::InvalidArgumentError(StrCat(
        "input ", i, " (", wanted.name, ") must be ", ToString(wanted.dtype), " [", absl::StrJoin(wanted.shape, ", "),
        "], the value given is ", ToString(inputs[i].dtype), " [", absl::StrJoin(inputs[i].shape, ", "), "]"));
  }
  return absl::OkStatus();
}

StatusOr<std::vector<std::string>> RunnerCommand(const RunOptions& options) {
  std::vector<std::string> command = options.runner;
  if (command.empty()) {
    TILTH_ASSIGN_OR_RETURN(const std::string directory, ProgramDirectory());
    command.push_back(StrCat(directory, "/tilth-runner"));
  }
  command.push_back("model");
  return command;
}

// The JSON reply of the runner, or what went wrong with it.
StatusOr<Json> AskRunner(const RunOptions& options, const std::string& library, const Json& request) {
  TILTH_ASSIGN_OR_RETURN(const std::vector<std::string> command, RunnerCommand(options));
  SubprocessOptions child;
  child.argv = command;
  child.stdout_to = ChildStream::kDiscard;
  child.stderr_to = ChildStream::kCapture;
  child.result_pipe = true;
  TILTH_ASSIGN_OR_RETURN(const SubprocessOutput output, RunSubprocess(child, request.dump(), kRunDeadlineMs),
                         "starting the runner ", command[0], " (--runner names another)");
  const size_t reply = output.result_bytes.rfind(kReplyPrefix);
  if (!output.exit.Success() || reply == std::string::npos) {
    return absl::FailedPreconditionError(
        StrCat("running ", library, " with '", absl::StrJoin(command, " "), "': the runner ", output.exit.Describe(),
               output.stderr_text.empty() ? "" : "; it said: ", output.stderr_text.substr(0, kMaxQuotedError),
               "; was the library built for this machine (--target)?"));
  }
  Json json = Json::parse(output.result_bytes.substr(reply + kReplyPrefix.size()), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object())
    return absl::InternalError(StrCat("the runner ", command[0], " sent an answer that is no JSON"));
  if (json.contains("error")) {
    return absl::FailedPreconditionError(StrCat("running ", library, ": ", json["error"].get<std::string>()));
  }
  return json;
}

void FillTimes(const Json& reply, const ModelDescription& model, RunReport* report) {
  std::vector<double> all = reply.at("samples_ns"), clean;
  const std::vector<bool> interrupted = reply.at("interrupted");
  for (size_t i = 0; i < all.size(); ++i) {
    if (!interrupted.at(i)) clean.push_back(all[i]);
  }
  const std::vector<double>& samples = clean.size() >= kMinCleanShare * static_cast<double>(all.size()) ? clean : all;
  report->threads = reply.at("threads");
  report->median_ns = Quantile(samples, 0.5);
  report->p10_ns = Quantile(samples, 0.1);
  report->p90_ns = Quantile(samples, 0.9);
  const std::vector<double> kernel_ns = reply.at("kernel_median_ns");
  for (size_t i = 0; i < model.calls.size(); ++i) {
    const KernelDescription& kernel = model.kernels[model.calls[i]];
    report->kernels.push_back({kernel.name, kernel_ns.at(i), kernel.tuned, kernel.predicted_gain > 0});
  }
}

}  // namespace

StatusOr<ModelDescription> ReadPackage(const std::string& directory) {
  const std::string path = StrCat(directory, "/manifest.json");
  StatusOr<std::string> json = ReadFile(path);
  if (absl::IsNotFound(json.status())) {
    return absl::NotFoundError(StrCat(directory, " holds no model library (there is no ", path,
                                      "); make one with 'tilth build MODEL.onnx -o ", directory, "'"));
  }
  TILTH_RETURN_IF_ERROR(json.status());
  TILTH_ASSIGN_OR_RETURN(ModelDescription model, ParseManifest(*json), path);
  return model;
}

StatusOr<RunReport> RunPackage(const std::string& directory, const ModelDescription& model,
                               const std::vector<TensorValue>& inputs, const RunOptions& options) {
  TILTH_RETURN_IF_ERROR(CheckInputs(model, inputs));
  TILTH_ASSIGN_OR_RETURN(const TempDir scratch, TempDir::Create("tilth-run"));
  const std::string library = StrCat(directory, "/lib", model.name, ".so");
  Json request = {{"library", library.front() == '/' ? library : StrCat("./", library)},
                  {"inputs", Json::array()},
                  {"outputs", Json::array()},
                  {"threads", options.threads},
                  {"warmup", options.warmup},
                  {"repeat", options.repeat}};
  for (size_t i = 0; i < inputs.size(); ++i) {
    const std::string path = scratch.File(StrCat("input_", i));
    const std::vector<uint8_t>& bytes = inputs[i].bytes;
    TILTH_RETURN_IF_ERROR(WriteFile(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
    request["inputs"].push_back(path);
  }
  for (size_t i = 0; i < model.outputs.size(); ++i) request["outputs"].push_back(scratch.File(StrCat("output_", i)));

  TILTH_ASSIGN_OR_RETURN(const Json reply, AskRunner(options, library, request));
  RunReport report;
  try {
    FillTimes(reply, model, &report);
  } catch (const std::exception& error) {
    return absl::FailedPreconditionError(StrCat("the answer of the runner does not fit the manifest of ", directory,
                                                " (", error.what(),
                                                "); use the runner and the package of one release"));
  }
  for (size_t i = 0; i < model.outputs.size(); ++i) {
    TILTH_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(request["outputs"][i].get<std::string>()));
    report.outputs.push_back({model.outputs[i].dtype, model.outputs[i].shape, {bytes.begin(), bytes.end()}});
  }
  return report;
}

std::vector<TensorValue> RandomInputs(const ModelDescription& model, uint64_t seed) {
  std::vector<TensorValue> inputs;
  for (size_t i = 0; i < model.inputs.size(); ++i) {
    inputs.push_back(RandomValue(model.inputs[i], seed, static_cast<int>(i)));
  }
  return inputs;
}

}  // namespace tilth
