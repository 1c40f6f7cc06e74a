#include "tuner/affinity.h"

#include <sched.h>

namespace tilth {

std::vector<int> AllowedCores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cores;
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    for (int core = 0; core < CPU_SETSIZE; ++core) {
      if (CPU_ISSET(core, &set)) cores.push_back(core);
    }
  }
  if (cores.empty()) cores.push_back(0);
  return cores;
}

void KeepOffCore(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  int others = 0;
  for (int allowed : AllowedCores()) {
    if (allowed == core) continue;
    CPU_SET(allowed, &set);
    ++others;
  }
  // A refusal leaves the measurements noisier, not wrong.
  if (others > 0) sched_setaffinity(0, sizeof set, &set);
}

}  // namespace tilth
