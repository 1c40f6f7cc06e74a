// tilth-runner: runs candidate kernels and tells what they did. Started by tilth-agent; not meant to be started by
// hand.
#include <cstdio>
#include <cstring>

#include "rpc_agent/runner/modes.h"

int main(int argc, char** argv) {
  using namespace tilth::runner;
  if (argc == 2 && std::strcmp(argv[1], "serve") == 0) return Serve();
  const int status = argc == 2 ? RunMode(argv[1]) : kNoSuchMode;
  if (status != kNoSuchMode) return status;
  std::fprintf(stderr, "usage: tilth-runner MODE, started by tilth-agent; modes: serve");
  for (const Mode& mode : kModes) std::fprintf(stderr, " %s", mode.name);
  std::fprintf(stderr, "\n");
  return 2;
}
