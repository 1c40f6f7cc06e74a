// tilth-runner trial: verifies a candidate against the baseline's outputs, times it, and verifies what the last timed
// run left behind. The candidate itself is in a process of its own (candidate_process.h).
#include <algorithm>
#include <deque>
#include <optional>

#include "rpc_agent/runner/candidate_process.h"
#include "rpc_agent/runner/compare.h"
#include "rpc_agent/runner/expected_outputs.h"
#include "rpc_agent/runner/fma_loop.h"
#include "rpc_agent/runner/modes.h"
#include "rpc_agent/runner/report.h"
#include "rpc_agent/runner/request.h"
#include "rpc_agent/runner/sandbox.h"

namespace tilth::runner {
namespace {

// How long to look for the device's full speed, and the share of it that is full enough.
constexpr int64_t kCanaryNs = 300'000;
constexpr double kFullSpeed = 0.99;

// Samples of short kernels come several at a time: going to and fro between the processes costs about as much as one.
class RemoteSamples : public SampleSource {
 public:
  // `most`: what a measurement takes at most; a batch is not larger.
  RemoteSamples(CandidateProcess& candidate, int most) : candidate_(candidate), most_(std::max(1, most)) {}

  Sample Take(int64_t runs) override {
    if (runs != runs_) ready_.clear();
    if (ready_.empty()) Fetch(runs);
    const TimedSample sample = ready_.front();
    ready_.pop_front();
    return {.elapsed_ns = sample.elapsed_ns, .interrupted = sample.interrupted != 0};
  }

 private:
  void Fetch(int64_t runs) {
    const int count = std::min(most_, CountFor(run_ns_ * runs));
    for (const TimedSample& sample : candidate_.Sample(count, runs)) ready_.push_back(sample);
    runs_ = runs;
    run_ns_ = std::max<int64_t>(1, ready_.back().elapsed_ns / runs);
  }

  // Samples that nobody takes are time lost, so not many more than a decision needs.
  static int CountFor(int64_t sample_ns) {
    constexpr int64_t kBatchNs = 300'000, kLongestBatchNs = 1'000'000, kFewestToDecide = 5;
    if (sample_ns <= 0) return 1;
    const int64_t most = std::clamp<int64_t>(kLongestBatchNs / sample_ns, 1, kMaxSamplesPerCommand);
    return static_cast<int>(std::min(most, std::max(kFewestToDecide, kBatchNs / sample_ns)));
  }

  CandidateProcess& candidate_;
  const int most_;
  std::deque<TimedSample> ready_;  // of runs_ runs each
  int64_t runs_ = 0;
  int64_t run_ns_ = 0;  // of the latest; 0: not known
};

OutputTolerance ToleranceOf(const KernelRequest& request, size_t output) {
  if (request.tolerances.empty()) return {};
  return request.tolerances[std::min(output, request.tolerances.size() - 1)];
}

// Compares every output; describes the first that is wrong, "" if none is.
std::string Verify(const KernelRequest& request, const BufferTable& table, const void* actual, const void* expected,
                   double* max_abs_error) {
  const std::vector<int> outputs = table.Outputs();
  for (size_t i = 0; i < outputs.size(); ++i) {
    const TilthBuffer& buffer = table.buffer(outputs[i]);
    const OutputTolerance tolerance = ToleranceOf(request, i);
    const size_t offset = table.OutputOffset(i);
    const Comparison comparison =
        CompareOutputs(static_cast<const char*>(actual) + offset, static_cast<const char*>(expected) + offset,
                       buffer.dtype, buffer.num_elements, tolerance);
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
  ClaimCore(request.core);
  ReportStage("load");
  CandidateProcess candidate(request);
  ExpectedOutputs expected;
  if (!expected.Open(request.expected_path, &error)) return Fail("infrastructure", error);
  const BufferTable& table = candidate.Load();
  if (table.Signature() != expected.signature()) {
    return Fail("load",
                "its buffers (" + table.Signature() + ") are not the baseline's (" + expected.signature() + ")");
  }
  candidate.Allocate();

  ReportStage("run");
  KernelReply reply;
  candidate.Prepare();
  candidate.Run();
  const auto verify = [&] {
    return Verify(request, table, candidate.outputs(), expected.outputs(), &reply.max_abs_error);
  };
  if (std::string wrong = verify(); !wrong.empty()) return Fail("wrong answer", wrong);
  const double full_gflops = kFullSpeed * request.expected_gflops;
  const double before_gflops = MeasureFmaGflops(kCanaryNs, full_gflops);
  RemoteSamples samples(candidate, std::max(request.loop.min_repeats, request.loop.max_repeats));
  reply.times = RunMeasureLoop(request.loop, samples);
  reply.canary_gflops = std::min(before_gflops, MeasureFmaGflops(kCanaryNs, full_gflops));
  candidate.Collect();
  if (std::string wrong = verify(); !wrong.empty()) return Fail("wrong answer", "when run again, " + wrong);
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
