// What an operator asks of a tracker: devices, jobs, and changes to what a device may get. No session is needed.
//
// Every call: kUnavailable, with the address, if nobody answers; kFailedPrecondition if the tracker speaks another
// protocol version (both are named).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "proto/measure.h"

namespace tilth {

// proto/farm.proto describes the fields.
struct DeviceStatus {
  std::string agent_id;
  Device device;
  std::string state;    // "offline", "idle", "busy", "draining", "cordoned", "quarantined", "resting"
  std::string reason;   // why, for people
  std::string warning;  // it differs from its class, or is watched; empty: neither
  std::vector<std::string> tags;
  std::string reserved_for;  // a user; empty: everybody
  DeviceHealth health;       // last reported
  double normalization = 0;  // its speed / the median of its class; 0: unknown
  int64_t trials_done = 0, trials_failed = 0, trials_spoiled = 0;
  double busy_seconds = 0;      // spent in trials since it attached
  double attached_seconds = 0;  // 0: offline
  std::string agent_version;
};

struct JobStatus {
  std::string session_id, name, user, device_class;
  int priority = 0;
  int64_t queued = 0, running = 0, undelivered = 0, delivered = 0;
  double idle_seconds = 0;  // since the client was last heard of
  double eta_seconds = 0;   // until what is submitted is measured; 0: unknown, or nothing is left
};

// `device_class`: only that one; empty: all.
StatusOr<std::vector<DeviceStatus>> ListDevices(const std::string& address, const std::string& device_class,
                                                int64_t timeout_ms = 3'000, bool in_the_clear = false);
StatusOr<std::vector<JobStatus>> ListJobs(const std::string& address, int64_t timeout_ms = 3'000);

enum class DeviceChange { kCordon, kDrain, kResume, kReserve, kRelease };
std::string_view ToString(DeviceChange change);  // "cordon", "drain", "resume", "reserve", "release"

// Changes what a device may get; returns to how many it applied. `device`: an agent id or a host name, kNotFound if
// there is none such. `user`: whom it is reserved for.
StatusOr<int> SetDevice(const std::string& address, const std::string& device, DeviceChange change,
                        const std::string& user = "", int64_t timeout_ms = 3'000);

}  // namespace tilth
