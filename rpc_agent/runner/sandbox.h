// Takes from this process what a kernel never needs, so that a broken or hostile one harms only itself.
#pragma once

#include <string>

namespace tilth::runner {

// Which layers hold, each independent of the others. What is not there is not an error: an emulator or an old kernel
// may lack it, and the agent says so for its device.
struct SandboxLayers {
  bool root_directory = false;  // sees no files but those of its own directory
  bool unprivileged = false;    // is nobody: no capability, no user that owns anything
  bool system_calls = false;    // syscall_filter.h

  // "system call filter, own root directory, no privileges", or what is left of it.
  std::string Describe() const;
};

// For the process that will hold the candidate, before its artifact is opened, for ever. `directory` becomes its root.
// Also limits it: no file written, no core, no locked memory, no further process, few descriptors.
SandboxLayers EnterSandbox(const std::string& directory);

// Binds this thread to one core; -1, or a core that it may not use: stays as it is.
void PinToCore(int core);

// Pins, too, and, where it is allowed to, puts this process before others there: who waits for a measurement should not
// disturb it.
void ClaimCore(int core);

}  // namespace tilth::runner
