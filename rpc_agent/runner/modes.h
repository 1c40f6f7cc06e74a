// The modes of tilth-runner, `tilth-runner MODE`: one function in one file each. A mode reads its request from stdin,
// reports on descriptor 3 (request.h) and returns the exit status: 0 whenever it has reported a reply, whatever that
// says; 2 if the request is not understood.
#pragma once

#include <string>

namespace tilth::runner {

int BaselineMode(const std::string& request);  // run the artifact once and keep its outputs
int TrialMode(const std::string& request);     // verify the artifact against them and time it
int ModelMode(const std::string& request);     // run a model library, keep its outputs and time it
int CanaryMode(const std::string& request);    // how fast and how even the device is now
int PeakMode(const std::string& request);      // measure what the device can do at best
int ProbeMode(const std::string& directory);   // what the runner is and what contains candidates

}  // namespace tilth::runner
