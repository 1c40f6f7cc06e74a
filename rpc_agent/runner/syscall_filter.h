// Which system calls a candidate may make: those that loading a shared object, memory and clocks need. All others end
// it (SIGSYS), and so do calls of another architecture's or the x32 numbering.
#pragma once

namespace tilth::runner {

// For ever, for this process. False where the kernel has no seccomp or an emulator stands between: then every call is
// allowed. Descriptors that may be written to are 1, 2 and kAnswerFd; files can be opened for reading only.
bool FilterSystemCalls();

}  // namespace tilth::runner
