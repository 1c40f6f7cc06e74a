// tilth-runner trial: verifies a candidate against the baseline's outputs, times it, and verifies what the last timed
// run left behind.
#include <sys/resource.h>

#include <algorithm>
#include <ctime>
#include <optional>

#include "rpc_agent/runner/compare.h"
#include "rpc_agent/runner/expected_outputs.h"
#include "rpc_agent/runner/fma_loop.h"
#include "rpc_agent/runner/kernel_instance.h"
#include "rpc_agent/runner/kernel_library.h"
#include "rpc_agent/runner/modes.h"
#include "rpc_agent/runner/report.h"
#include "rpc_agent/runner/request.h"
#include "rpc_agent/runner/sandbox.h"

namespace tilth::runner {
namespace {

constexpr int64_t kCanaryNs = 300'000;

int64_t InvoluntarySwitches() {
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  return usage.ru_nivcsw;
}

int64_t ThreadCpuNs() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

class TimedKernel : public SampleSource {
 public:
  explicit TimedKernel(KernelInstance& kernel) : kernel_(kernel) {}

  Sample Take(int64_t runs) override {
    const int64_t switches = InvoluntarySwitches();
    const int64_t begin = NowNs(), cpu_begin = ThreadCpuNs();
    for (int64_t i = 0; i < runs; ++i) kernel_.Run(TILTH_PHASE_RUN);
    const int64_t elapsed = NowNs() - begin, cpu = ThreadCpuNs() - cpu_begin;
    // Others' turns on the core do not count: a kernel longer than a time slice has no sample without one.
    const bool interrupted = InvoluntarySwitches() != switches;
    return {.elapsed_ns = interrupted ? std::min(cpu, elapsed) : elapsed, .interrupted = interrupted};
  }

 private:
  KernelInstance& kernel_;
};

OutputTolerance ToleranceOf(const KernelRequest& request, size_t output) {
  if (request.tolerances.empty()) return {};
  return request.tolerances[std::min(output, request.tolerances.size() - 1)];
}

// Compares every output; describes the first that is wrong, "" if none is.
std::string Verify(const KernelRequest& request, const KernelInstance& instance, const ExpectedOutputs& expected,
                   double* max_abs_error) {
  if (const int buffer = instance.FindOverrun(); buffer >= 0) {
    return "it wrote past the end of buffer " + std::to_string(buffer);
  }
  const std::vector<int> outputs = instance.Outputs();
  for (size_t i = 0; i < outputs.size(); ++i) {
    const TilthBuffer& buffer = instance.buffer(outputs[i]);
    const OutputTolerance tolerance = ToleranceOf(request, i);
    const Comparison comparison = CompareOutputs(instance.data(outputs[i]), expected.Data(instance, i), buffer.dtype,
                                                 buffer.num_elements, tolerance);
    *max_abs_error = std::max(*max_abs_error, comparison.max_abs_error);
    if (!comparison.agrees) {
      return "output " + std::to_string(i) + ": " + comparison.Describe(buffer.num_elements, tolerance);
    }
  }
  return "";
}

KernelReply Fail(std::string error, std::string detail) {
  KernelReply reply;
  reply.error = std::move(error);
  reply.detail = std::move(detail);
  return reply;
}

KernelReply RunTrial(const KernelRequest& request) {
  std::string error;
  ExpectedOutputs expected;
  if (!expected.Open(request.expected_path, &error)) return Fail("infrastructure", error);
  ClaimCore(request.core);
  EnterSandbox();

  ReportStage("load");
  const TilthKernel* kernel = OpenKernel(request.artifact_path, &error);
  if (kernel == nullptr) return Fail("load", error);
  KernelInstance instance(*kernel);
  if (instance.Signature() != expected.signature()) {
    return Fail("load",
                "its buffers (" + instance.Signature() + ") are not the baseline's (" + expected.signature() + ")");
  }
  if (!instance.Allocate()) return Fail("out of memory", "no memory for its buffers within the device's limit");
  instance.Fill(request.seed, request.value_bounds);

  ReportStage("run");
  KernelReply reply;
  instance.Run(TILTH_PHASE_PREPARE);
  instance.Run(TILTH_PHASE_RUN);
  if (std::string wrong = Verify(request, instance, expected, &reply.max_abs_error); !wrong.empty()) {
    return Fail("wrong answer", wrong);
  }
  const double before_gflops = MeasureFmaGflops(kCanaryNs);
  TimedKernel timed(instance);
  reply.times = RunMeasureLoop(request.loop, timed);
  reply.canary_gflops = std::min(before_gflops, MeasureFmaGflops(kCanaryNs));
  if (std::string wrong = Verify(request, instance, expected, &reply.max_abs_error); !wrong.empty()) {
    return Fail("wrong answer", "when run again, " + wrong);
  }
  return reply;
}

}  // namespace

int TrialMode(const std::string& text) {
  const std::optional<KernelRequest> request = ParseRequest(text);
  if (!request) return 2;
  ReportReply(FormatReply(RunTrial(*request)));
  return 0;
}

}  // namespace tilth::runner
