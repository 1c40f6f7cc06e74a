// Last words: what a dying candidate was about to do, for people. It dies of the same signal as it would have without.
#pragma once

#include <string>

#include "rpc_agent/runner/channel.h"

namespace tilth::runner {

// From now on a fault of this process writes an AnswerHeader with Op::kFault and a FaultNote to kAnswerFd.
void LeaveNoteOnFault();

// "tried to open a socket (system call 41)", "ran out of its stack", "at address 0x8"; "" if the note says nothing.
std::string Describe(const FaultNote& note);

}  // namespace tilth::runner
