// What the agent knows of its device.
#pragma once

#include "base/status.h"
#include "proto/measure.h"

namespace tilth {

// Everything but the class and the measured peaks. What cannot be read stays empty: boards differ.
Device DescribeDevice();

// The cores that this process may run on, ascending.
std::vector<int> AllowedCores();

}  // namespace tilth
