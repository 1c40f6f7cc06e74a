#include "base/status.h"

#include <cstdio>
#include <cstdlib>

namespace tilth {

void CheckFailed(const char* file, int line, const char* condition) {
  std::fprintf(stderr, "%s:%d: check failed: %s\nThis is a bug in Tilth; please report it with the command you ran.\n",
               file, line, condition);
  std::abort();
}

}  // namespace tilth
