// What an agent knows of its device, for `tilth-agent --describe`.
#pragma once

#include <string>

#include "proto/measure.h"

namespace tilth {

std::string DescribeForPeople(const Device& device);
std::string DescribeAsJson(const Device& device);

}  // namespace tilth
