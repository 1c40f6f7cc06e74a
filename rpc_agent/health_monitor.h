// How this device is doing: the canary, in a runner on the core that measures, and what sensors there are.
#pragma once

#include <mutex>

#include "proto/measure.h"
#include "rpc_agent/sensors.h"
#include "rpc_agent/trial_executor.h"

namespace tilth {

class HealthMonitor {
 public:
  // `executor`, calibrated, must outlive it. `core`: the one that measures.
  HealthMonitor(TrialExecutor& executor, int core) : executor_(executor), sensors_(core) {}

  // Takes a reading, which takes some 15 ms. From the thread that carries trials out, between them. A canary that does
  // not come back leaves its fields 0 and is logged.
  DeviceHealth Read();

  // The last reading; zeros before the first. From any thread.
  DeviceHealth last() const;

 private:
  TrialExecutor& executor_;
  Sensors sensors_;  // only in Read
  mutable std::mutex mutex_;
  DeviceHealth last_;
};

}  // namespace tilth
