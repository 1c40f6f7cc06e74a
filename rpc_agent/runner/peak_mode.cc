// tilth-runner peak: measures the device's limits, which plausible times are held against. The request is the core to
// pin to, as a decimal number; nothing or -1: none.
#include <cstdlib>

#include "rpc_agent/runner/fma_loop.h"
#include "rpc_agent/runner/modes.h"
#include "rpc_agent/runner/report.h"
#include "rpc_agent/runner/request.h"
#include "rpc_agent/runner/sandbox.h"

namespace tilth::runner {

int PeakMode(const std::string& request) {
  constexpr int64_t kDurationNs = 100'000'000;
  ClaimCore(request.empty() ? -1 : std::atoi(request.c_str()));
  PeakReply reply;
  reply.gflops = MeasureFmaGflops(kDurationNs);
  reply.bandwidth_gbps = MeasureTriadGbps();
  ReportReply(FormatPeak(reply));
  return 0;
}

}  // namespace tilth::runner
