// tilth-runner canary: how the device is now. The core is shared as any other process would share it, so that whoever
// else wants it shows, however high the priority is at which trials run.
#include <sys/resource.h>

#include <optional>

#include "rpc_agent/runner/canary.h"
#include "rpc_agent/runner/modes.h"
#include "rpc_agent/runner/report.h"
#include "rpc_agent/runner/request.h"
#include "rpc_agent/runner/sandbox.h"

namespace tilth::runner {

int CanaryMode(const std::string& text) {
  // Three turns of the usual length of another process on the core: enough to see one, and 1 % of a second.
  constexpr int64_t kDurationNs = 12'000'000;
  const std::optional<CanaryRequest> request = ParseCanaryRequest(text);
  if (!request) return 2;
  setpriority(PRIO_PROCESS, 0, 0);
  PinToCore(request->core);
  ReportReply(FormatCanary(RunCanary(kDurationNs, request->expected_gflops)));
  return 0;
}

}  // namespace tilth::runner
