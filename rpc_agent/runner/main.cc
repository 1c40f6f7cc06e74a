// tilth-runner: runs one candidate kernel and tells what it did. Started by tilth-agent, once per trial, under limits
// and a deadline; not meant to be started by hand.
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <string>

#include "rpc_agent/runner/modes.h"

namespace {

std::string ReadAll(int fd) {
  std::string text;
  char chunk[1 << 16];
  ssize_t n;
  while ((n = read(fd, chunk, sizeof chunk)) > 0) text.append(chunk, static_cast<size_t>(n));
  return text;
}

struct Mode {
  const char* name;
  int (*run)(const std::string& request);
};

constexpr Mode kModes[] = {
    {"baseline", tilth::runner::BaselineMode}, {"canary", tilth::runner::CanaryMode},
    {"model", tilth::runner::ModelMode},       {"peak", tilth::runner::PeakMode},
    {"probe", tilth::runner::ProbeMode},       {"trial", tilth::runner::TrialMode},
};

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2) {
    for (const Mode& mode : kModes) {
      if (std::strcmp(argv[1], mode.name) == 0) return mode.run(ReadAll(STDIN_FILENO));
    }
  }
  std::fprintf(stderr, "usage: tilth-runner MODE, started by tilth-agent; modes:");
  for (const Mode& mode : kModes) std::fprintf(stderr, " %s", mode.name);
  std::fprintf(stderr, "\n");
  return 2;
}
