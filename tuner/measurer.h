// Measurer: candidates in, outcomes out. A farm measures them (tuner/farm_measurer.h); in a replay, the rows of a log
// answer (tuner/recorded_measurer.h).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "db/tuning_log.h"
#include "proto/measure.h"
#include "search_space/space.h"

namespace tilth {

struct MeasureJob {
  int task = 0;
  std::shared_ptr<const SearchSpace> space;
  Candidate candidate;
  std::string origin;
  std::string trial_id;  // unique over all logs
  std::string workload_hash;
  uint64_t seed = 0;  // of the test data
  MeasureOptions options;
  bool repeat = false;   // measure even if identical code has been measured
  std::string together;  // jobs with the same word are measured on the same device, if that can be; empty: on any
};

struct MeasureOutcome {
  MeasureJob job;
  MeasureErrorKind error = MeasureErrorKind::kNone;
  std::string detail;
  std::string artifact_hash;  // empty: the build failed
  double build_s = 0;
  bool duplicate = false;  // copied from `detail`'s trial; nothing was run
  MeasureResult result;    // of the farm, or of the identical artifact
  // Of a replay. `recorded`: the row that this outcome repeats. `unrecorded`: the replayed session has no such row, so
  // that nothing is known about the candidate.
  std::shared_ptr<const TuningRecord> recorded;
  bool unrecorded = false;
};

// How a session has used its devices, from the beginning of its first trial to its latest result.
struct DeviceUse {
  double busy_s = 0;  // spent on its trials: loading, verifying, warming up, timing; all devices together
  double span_s = 0;  // wall time, times the number of devices that gave results

  double BusyFraction() const { return span_s > 0 ? busy_s / span_s : 0; }
};

// Used by one thread.
class Measurer {
 public:
  virtual ~Measurer() = default;

  // Stands for its class.
  virtual const Device& device() const = 0;
  // That measure side by side, when the session began; at least 1.
  virtual int num_devices() const = 0;
  // All that may show in outcomes.
  virtual StatusOr<std::vector<Device>> Devices() = 0;

  virtual void Enqueue(MeasureJob job) = 0;

  // What a log knows: `result` stands for every candidate of `task` with this machine code.
  virtual void AddKnown(int task, const std::string& artifact_hash, const std::string& trial_id,
                        const MeasureResult& result) = 0;

  // At least one outcome, or none after timeout_ms. Outcomes that one call returned may be forgotten by the next call,
  // so record them before it. Errors: nothing can be measured any more.
  virtual StatusOr<std::vector<MeasureOutcome>> Wait(int64_t timeout_ms) = 0;

  // Enqueued, no outcome yet.
  virtual size_t UnderWay() const = 0;

  // Forgets everything that is under way.
  virtual void Cancel() = 0;

  virtual DeviceUse Use() const = 0;
};

}  // namespace tilth
