// tilth-runner baseline: runs the baseline artifact once and writes its outputs for the trials to compare with. It is
// as foreign as a candidate, and held like one.
#include "rpc_agent/runner/candidate_process.h"
#include "rpc_agent/runner/expected_outputs.h"
#include "rpc_agent/runner/modes.h"
#include "rpc_agent/runner/report.h"
#include "rpc_agent/runner/request.h"

namespace tilth::runner {
namespace {

KernelReply RunBaseline(const KernelRequest& request) {
  KernelReply reply;
  ReportStage("load");
  CandidateProcess baseline(request);
  const BufferTable& table = baseline.Load();
  baseline.Allocate();
  ReportStage("run");
  baseline.Prepare();
  baseline.Run();
  if (!WriteExpectedOutputs(request.expected_path, table, baseline.outputs(), &reply.detail)) {
    reply.error = "infrastructure";
  }
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
