// Which cores this process may use, keeping off the one that measures, and who goes first on the others.
#pragma once

#include <sched.h>

#include <vector>

namespace tilth {

// The cores that the calling thread may run on, ascending; never empty.
std::vector<int> AllowedCores();

// While it lives, the calling thread, and threads that it starts, leave a core to others. Destroyed by the same thread,
// which then has its old cores again.
class CoreAvoidance {
 public:
  // Nothing happens if `core` is the only one.
  explicit CoreAvoidance(int core);
  ~CoreAvoidance();
  CoreAvoidance(const CoreAvoidance&) = delete;
  CoreAvoidance& operator=(const CoreAvoidance&) = delete;

 private:
  cpu_set_t before_;
  bool changed_ = false;
};

// The calling thread, and threads that it starts later, give way to the others of this process. For ever: only a
// privileged thread may take it back.
void GiveWay();

}  // namespace tilth
