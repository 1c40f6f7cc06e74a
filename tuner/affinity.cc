#include "tuner/affinity.h"

#include <sys/resource.h>
#include <unistd.h>

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

CoreAvoidance::CoreAvoidance(int core) {
  CPU_ZERO(&before_);
  if (sched_getaffinity(0, sizeof before_, &before_) != 0) return;
  cpu_set_t others = before_;
  CPU_CLR(core, &others);
  // A refusal leaves the measurements noisier, not wrong.
  changed_ = CPU_COUNT(&others) > 0 && sched_setaffinity(0, sizeof others, &others) == 0;
}

CoreAvoidance::~CoreAvoidance() {
  if (changed_) sched_setaffinity(0, sizeof before_, &before_);
}

void GiveWay() {
  constexpr int kSteps = 5;  // a third of the weight, if others want the core
  const auto thread = static_cast<id_t>(gettid());
  setpriority(PRIO_PROCESS, thread, getpriority(PRIO_PROCESS, thread) + kSteps);
}

}  // namespace tilth
