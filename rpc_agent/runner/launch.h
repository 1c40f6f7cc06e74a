// What the agent and a `tilth-runner serve` say to each other, over a socket of packets that is the latter's stdin. A
// Launch with its descriptors asks for a runner; an Ended says how that one ended, and only then comes the next Launch.
// Both sides are of the same build.
#pragma once

#include <cstdint>

namespace tilth::runner {

// Of a packet with a Launch, in this order: the runner's stdin, its stderr and its kReplyFd.
inline constexpr int kLaunchDescriptors = 3;

struct Launch {
  char mode[16] = {};               // a name of kModes (modes.h)
  int32_t core = -1;                // where the server waits, and its runners begin; -1: anywhere
  int64_t address_space_bytes = 0;  // limits; 0: none
  int64_t cpu_seconds = 0;
};

struct Ended {
  int32_t error = 0;   // errno if no runner could be started; the rest is not set then
  int32_t status = 0;  // of waitpid
  int64_t max_rss_bytes = 0;
};

}  // namespace tilth::runner
