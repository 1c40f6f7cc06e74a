// MeasurePipeline: candidates in, outcomes out; building and measuring overlap.
//
// Build threads make artifacts and hand them to the farm themselves, so that the device has work while the owner
// thinks. A candidate whose machine code is identical to one already measured for the same task is not measured again:
// its outcome is a copy. The baseline artifact of a task is built with its first candidate. A candidate that is
// measured again is not built again. When a device has nothing waiting, the next trial is measured longer.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "farm/client.h"
#include "proto/measure.h"
#include "tuner/measurer.h"

namespace tilth {

class ArtifactCache;

struct PipelineOptions {
  int build_threads = 1;
  int devices = 1;                          // that measure for this pipeline
  ArtifactCache* artifact_cache = nullptr;  // outlives the pipeline; null: none
};

// The owner's methods belong to one thread.
class MeasurePipeline {
 public:
  // `farm` outlives the pipeline.
  MeasurePipeline(FarmClient* farm, const PipelineOptions& options);
  ~MeasurePipeline();  // waits for builds that have begun, drops the rest

  void Enqueue(MeasureJob job);

  // What a log knows: `result` stands for every candidate of `task` with this machine code.
  void AddKnown(int task, const std::string& artifact_hash, const std::string& trial_id, const MeasureResult& result);

  // At least one outcome, or none after timeout_ms. Results that one call returned are acknowledged to the farm by the
  // next call, so record them before it. Errors: the farm is gone; a baseline cannot be built.
  StatusOr<std::vector<MeasureOutcome>> Wait(int64_t timeout_ms);

  // Enqueued, no outcome yet.
  size_t UnderWay() const;

  // Forgets everything that is under way.
  void Cancel();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tilth
