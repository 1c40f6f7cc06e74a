#include "rpc_agent/runner/modes.h"

#include <unistd.h>

#include <cstring>

namespace tilth::runner {
namespace {

std::string ReadAll(int fd) {
  std::string text;
  char chunk[1 << 16];
  ssize_t n;
  while ((n = read(fd, chunk, sizeof chunk)) > 0) text.append(chunk, static_cast<size_t>(n));
  return text;
}

}  // namespace

int RunMode(const char* name) {
  for (const Mode& mode : kModes) {
    if (std::strcmp(name, mode.name) == 0) return mode.run(ReadAll(STDIN_FILENO));
  }
  return kNoSuchMode;
}

}  // namespace tilth::runner
