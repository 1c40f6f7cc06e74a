// What the agent knows of its device.
#pragma once

#include <string>
#include <vector>

#include "proto/measure.h"

namespace tilth {

// Everything but the class, the measured peaks and what contains candidates. What cannot be read stays empty: boards
// differ. `system_root` stands for "/" (tests have their own).
//
// The fingerprint is of what decides how fast a kernel is: the kinds of cores with their caches and highest clocks,
// features, cores, memory and the GPU. Not of the host's name, for boards of one kind may stand in for each other, nor
// of the operating system's release, with which a board would lose all that was measured on it.
Device DescribeDevice(const std::string& system_root = "");

// The cores that this process may run on, ascending.
std::vector<int> AllowedCores();

}  // namespace tilth
