// tilth-runner baseline: runs the baseline artifact once and writes its outputs for the trials to compare with.
#include <memory>

#include "rpc_agent/runner/expected_outputs.h"
#include "rpc_agent/runner/kernel_instance.h"
#include "rpc_agent/runner/kernel_library.h"
#include "rpc_agent/runner/modes.h"
#include "rpc_agent/runner/report.h"
#include "rpc_agent/runner/request.h"

namespace tilth::runner {
namespace {

KernelReply RunBaseline(const KernelRequest& request) {
  KernelReply reply;
  ReportStage("load");
  const TilthKernel* kernel = OpenKernel(request.artifact_path, &reply.detail);
  if (kernel == nullptr) {
    reply.error = "load";
    return reply;
  }
  KernelInstance instance(*kernel);
  if (!instance.Allocate()) {
    reply.error = "out of memory";
    return reply;
  }
  instance.Fill(request.seed, request.value_bounds);
  ReportStage("run");
  instance.Run(TILTH_PHASE_PREPARE);
  instance.Run(TILTH_PHASE_RUN);
  if (!WriteExpectedOutputs(request.expected_path, instance, &reply.detail)) reply.error = "infrastructure";
  return reply;
}

}  // namespace

int BaselineMode(const std::string& text) {
  const std::optional<KernelRequest> request = ParseRequest(text);
  if (!request) return 2;
  ReportReply(FormatReply(RunBaseline(*request)));
  return 0;
}

}  // namespace tilth::runner
