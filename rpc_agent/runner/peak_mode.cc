// tilth-runner peak: measures the device's limits, which plausible times are held against. The request is the core to
// pin to, as a decimal number; nothing or -1: none.
#include <algorithm>
#include <cstdlib>

#include "rpc_agent/runner/fma_loop.h"
#include "rpc_agent/runner/modes.h"
#include "rpc_agent/runner/report.h"
#include "rpc_agent/runner/request.h"
#include "rpc_agent/runner/sandbox.h"

namespace tilth::runner {

int PeakMode(const std::string& request) {
  // Each round makes a pass at least, however little of the core others leave: what is found here is kept for good.
  constexpr int kRounds = 50;
  constexpr int64_t kRoundNs = 2'000'000;
  ClaimCore(request.empty() ? -1 : std::atoi(request.c_str()));
  PeakReply reply;
  for (int round = 0; round < kRounds; ++round) reply.gflops = std::max(reply.gflops, MeasureFmaGflops(kRoundNs));
  reply.bandwidth_gbps = MeasureTriadGbps();
  ReportReply(FormatPeak(reply));
  return 0;
}

}  // namespace tilth::runner
