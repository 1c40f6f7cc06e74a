// Which cores this process may use, and keeping off the one that measures.
#pragma once

#include <vector>

namespace tilth {

// The cores that the calling thread may run on, ascending; never empty.
std::vector<int> AllowedCores();

// The calling thread, and threads it starts from now on, leave `core` to others. Nothing happens if it is the only one.
void KeepOffCore(int core);

}  // namespace tilth
