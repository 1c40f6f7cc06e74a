// Which cores this process may use, and keeping off the one that measures.
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

}  // namespace tilth
