// tilth-runner probe: what this runner is, and what would contain a candidate of its. The request is a directory to
// enter for that.
#include <sys/utsname.h>

#include "rpc_agent/runner/modes.h"
#include "rpc_agent/runner/report.h"
#include "rpc_agent/runner/request.h"
#include "rpc_agent/runner/sandbox.h"

namespace tilth::runner {

int ProbeMode(const std::string& directory) {
  ProbeReply reply;
  utsname names{};
  if (uname(&names) == 0) reply.architecture = names.machine;
  reply.sandbox = EnterSandbox(directory).Describe();
  ReportReply(FormatProbe(reply));
  return 0;
}

}  // namespace tilth::runner
