// Takes from this process what a kernel never needs, so that a miscompiled one harms only itself.
#pragma once

namespace tilth::runner {

// Forbids, for ever: the network, starting processes or threads, removing, renaming or truncating files, signals to
// others. Such calls fail with EPERM afterwards. False where the kernel has no seccomp (or an emulator stands between):
// then nothing is forbidden. Call it before the artifact is opened.
bool EnterSandbox();

// Binds this thread to one core; -1, or a core that it may not use: stays as it is.
void PinToCore(int core);

// Pins, too, and, where it is allowed to, puts this process before others there: who waits for a measurement should not
// disturb it.
void ClaimCore(int core);

}  // namespace tilth::runner
