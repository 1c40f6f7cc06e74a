// The modes of tilth-runner: one function in one file each. A mode reads its request from stdin, reports on descriptor
// 3 (request.h) and returns the exit status: 0 whenever it has reported a reply, whatever that says; 2 if the request
// is not understood.
#pragma once

#include <string>

namespace tilth::runner {

int BaselineMode(const std::string& request);  // run the artifact once and keep its outputs
int TrialMode(const std::string& request);     // verify the artifact against them and time it
int ModelMode(const std::string& request);     // run a model library, keep its outputs and time it
int CanaryMode(const std::string& request);    // how fast and how even the device is now
int PeakMode(const std::string& request);      // measure what the device can do at best
int ProbeMode(const std::string& directory);   // what the runner is and what contains candidates

struct Mode {
  const char* name;
  int (*run)(const std::string& request);
};

inline constexpr Mode kModes[] = {
    {"baseline", BaselineMode}, {"canary", CanaryMode}, {"model", ModelMode},
    {"peak", PeakMode},         {"probe", ProbeMode},   {"trial", TrialMode},
};

// Runs the mode `name` with what stdin holds; the exit status, or kNoSuchMode.
inline constexpr int kNoSuchMode = -1;
int RunMode(const char* name);

// `tilth-runner serve`: forks a runner for every request that comes over stdin (launch.h) until there are no more.
int Serve();

}  // namespace tilth::runner
