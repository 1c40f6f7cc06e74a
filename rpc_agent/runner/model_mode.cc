// tilth-runner model: runs a model library, keeps its outputs and times it. Started by `tilth run` and `tilth check`.
//
// Request: {"library":PATH,"inputs":[PATH,…],"outputs":[PATH,…],"threads":N,"warmup":N,"repeat":N}. Tensors are files
// of raw bytes; threads 0 takes the library's default; repeat is at least 1. Reply: {"error":TEXT}, or
// {"threads":N,"samples_ns":[…],"interrupted":[…],"kernel_median_ns":[…]}. A sample is interrupted when a thread of the
// process was switched out involuntarily during it. Kernels are timed in runs of their own, whose outputs are the same.
#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/statistics.h"
#include "rpc_agent/runner/loaded_model.h"
#include "rpc_agent/runner/measure_loop.h"
#include "rpc_agent/runner/modes.h"
#include "rpc_agent/runner/report.h"

namespace tilth::runner {
namespace {

constexpr int kMaxKernelRuns = 50;
// How far to go beyond `repeat` runs for as many samples without an interruption.
constexpr int kMaxAttemptsPerRepeat = 4;
constexpr int64_t kMaxTimeForMoreNs = 5'000'000'000;

int64_t NowNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

int64_t InvoluntarySwitches() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_nivcsw;
}

void TimeModel(const TilthModel& model, TilthModelInstance* instance, const ModelTensors& tensors, int repeat,
               nlohmann::json* reply) {
  const int64_t start = NowNs();
  int clean = 0;
  for (int attempt = 0; clean < repeat; ++attempt) {
    const bool may_go_on = attempt / repeat < kMaxAttemptsPerRepeat && NowNs() - start < kMaxTimeForMoreNs;
    if (attempt >= repeat && !may_go_on) return;
    const int64_t switches = InvoluntarySwitches();
    const int64_t begin = NowNs();
    model.run(instance, tensors.inputs(), tensors.outputs(), nullptr);
    (*reply)["samples_ns"].push_back(NowNs() - begin);
    const bool interrupted = InvoluntarySwitches() != switches;
    (*reply)["interrupted"].push_back(interrupted);
    clean += !interrupted;
  }
}

void TimeKernels(const TilthModel& model, TilthModelInstance* instance, const ModelTensors& tensors, int repeat,
                 nlohmann::json* reply) {
  std::vector<std::vector<double>> times(model.num_kernels);
  for (int i = 0; i < std::min(repeat, kMaxKernelRuns); ++i) {
    std::vector<uint64_t> kernel_ns(model.num_kernels, 0);
    model.run(instance, tensors.inputs(), tensors.outputs(), kernel_ns.data());
    for (size_t k = 0; k < kernel_ns.size(); ++k) times[k].push_back(static_cast<double>(kernel_ns[k]));
  }
  for (const std::vector<double>& samples : times) (*reply)["kernel_median_ns"].push_back(Quantile(samples, 0.5));
}

struct Request {
  std::string library;
  std::vector<std::string> inputs, outputs;
  int threads, warmup, repeat;
};

// The reason for failure, or nothing and a filled reply.
std::string RunModel(const Request& request, nlohmann::json* reply) {
  std::string error;
  const TilthModel* const model = OpenModel(request.library, &error);
  if (model == nullptr) return error;
  ModelTensors tensors(*model);
  if (!tensors.ReadInputs(request.inputs, &error)) return error;
  TilthModelInstance* const instance = model->create(request.threads);
  if (instance == nullptr) return "not enough memory for the model's " + std::to_string(model->arena_bytes) + " bytes";

  for (int i = 0; i < request.warmup; ++i) model->run(instance, tensors.inputs(), tensors.outputs(), nullptr);
  (*reply) = {{"threads", model->num_threads(instance)},
              {"samples_ns", nlohmann::json::array()},
              {"interrupted", nlohmann::json::array()},
              {"kernel_median_ns", nlohmann::json::array()}};
  TimeModel(*model, instance, tensors, request.repeat, reply);
  const bool written = tensors.WriteOutputs(request.outputs, &error);
  TimeKernels(*model, instance, tensors, request.repeat, reply);
  model->destroy(instance);
  return written ? "" : error;
}

}  // namespace

int ModelMode(const std::string& request_text) {
  Request request;
  try {
    const nlohmann::json json = nlohmann::json::parse(request_text);
    request = {json.at("library"), json.at("inputs"), json.at("outputs"),
               json.at("threads"), json.at("warmup"), json.at("repeat")};
  } catch (const nlohmann::json::exception&) {
    return 2;
  }
  nlohmann::json reply;
  if (const std::string error = RunModel(request, &reply); !error.empty()) reply = {{"error", error}};
  ReportReply(reply.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  return 0;
}

}  // namespace tilth::runner
