// Carries one trial out on this device: runs the baseline if need be, then the candidate, each in a child of its own
// (tilth-runner) under limits and a deadline, and turns whatever happens into a MeasureResult.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "proto/measure.h"
#include "rpc_agent/calibration.h"
#include "rpc_agent/disk_cache.h"
#include "rpc_agent/runner_server.h"

namespace tilth {

struct ExecutorOptions {
  std::vector<std::string> runner;  // the program and what stands before it: {"qemu-aarch64", ".../tilth-runner"}
  std::string work_directory;
  int core = -1;                   // trials are pinned to it; -1: not pinned
  int64_t memory_limit_bytes = 0;  // address space of a child; 0: no limit (sanitizers and emulators need that)
};

// One trial at a time: not thread-safe.
class TrialExecutor {
 public:
  static StatusOr<std::unique_ptr<TrialExecutor>> Create(const ExecutorOptions& options);

  // Asks the runner what contains candidates, and corrects the description where the runner is emulated.
  Status Identify(Device* device);

  // Takes the device's peaks, which later times are held against, from the work directory; measures them if they are
  // not there, are those of another device or another runner, or `anew` is asked for.
  Status Calibrate(Device* device, bool anew);

  // The canary's fields of a reading of the device's health; the others are left 0. Needs the peaks.
  StatusOr<DeviceHealth> MeasureHealth();

  // Given the files of the trial's artifact and baseline, each alone in a directory. Failures of the candidate are in
  // the result's `error`, ours in `status`.
  MeasureResult Execute(const Trial& trial, const std::string& artifact_path, const std::string& baseline_path);

 private:
  struct Reply;
  TrialExecutor(const ExecutorOptions& options, DiskCache expected)
      : options_(options),
        runners_({options.runner, options.work_directory, options.core, options.memory_limit_bytes}),
        expected_(std::move(expected)) {}

  // Runs tilth-runner in `mode`, again if somebody kills it; kInternal if it could not even be started.
  StatusOr<Reply> RunChild(const std::string& mode, const std::string& request, int64_t deadline_ms);
  StatusOr<Reply> RunChildOnce(const std::string& mode, const std::string& request, int64_t deadline_ms);
  // The file with the baseline's outputs for this trial's data.
  StatusOr<std::string> ExpectedOutputs(const Trial& trial, const std::string& baseline_path);
  MeasureResult MeasureOnce(const Trial& trial, const std::string& artifact_path, const std::string& expected_path);
  StatusOr<Calibration> MeasurePeaks();
  bool Drifted(const MeasureResult& result) const;
  bool Implausible(const Trial& trial, const MeasureResult& result) const;

  const ExecutorOptions options_;
  RunnerServer runners_;
  DiskCache expected_;
  double peak_gflops_ = 0;  // 0: not measured, nothing is implausible
};

}  // namespace tilth
