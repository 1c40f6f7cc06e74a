// How `tilth farm` shows devices and jobs: texts for people, at most `width` characters wide where names allow, and
// JSON.
#pragma once

#include <string>
#include <vector>

#include "farm/operations.h"

namespace tilth {

// A line for each device, in the order of classes and hosts, with sentences below it where there is something to say:
// why it gets no trials, whom it is reserved for, how it differs from its class.
std::string ShowDevices(std::vector<DeviceStatus> devices, int width);
// Everything about each of them; what it cannot tell is "not readable on this device".
std::string DescribeDevices(const std::vector<DeviceStatus>& devices, int width);
std::string DevicesToJson(const std::vector<DeviceStatus>& devices);

// A line for each job; below those that wait, for what. `devices`: all of the farm.
std::string ShowJobs(const std::vector<JobStatus>& jobs, const std::vector<DeviceStatus>& devices, int width);
std::string JobsToJson(const std::vector<JobStatus>& jobs);

// What a change means from now on: "raspberry-3 finishes what it has and then gets nothing, until …".
std::string DescribeChange(DeviceChange change, const std::string& device, int devices, const std::string& user);

}  // namespace tilth
