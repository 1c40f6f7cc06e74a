// The half of a runner that holds foreign code: obeys the commands of the other half (channel.h), in a sandbox.
#pragma once

#include <string>

#include "rpc_agent/runner/request.h"

namespace tilth::runner {

// What the process that was forked for the candidate does, its descriptors being in place: enters the sandbox, then one
// command after another until there are no more.
[[noreturn]] void HoldCandidate(const KernelRequest& request);

}  // namespace tilth::runner
