// How much a tracker bears: simulated agents and real clients against a tracker in another process.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"

namespace tilth {

class TrackerProcess;

struct LoadOptions {
  int agents = 1000;
  int users = 4;
  double trial_ms = 100;        // median of a lognormal distribution with sigma 0.5
  double seconds = 10;          // of each part
  double arrivals_per_s = 300;  // while dispatch is timed: devices are free then
  int batch = 16;               // trials per call while the tracker is saturated
  int overhead_trials = 500;
  int64_t artifact_bytes = 4096;
  uint64_t seed = 1;
};

struct LoadReport {
  double trials_per_second = 0;                     // results at the clients, saturated
  double tracker_cpu_share = 0;                     // of one core, meanwhile
  double p50_dispatch_ms = 0, p99_dispatch_ms = 0;  // from the time that a trial is due to its arrival at an agent
  double overhead_ms_median = 0;  // one client, one agent, a trial that does nothing: from submission to result
  int64_t tracker_rss_bytes = 0;  // at its most
};

StatusOr<LoadReport> MeasureLoad(const LoadOptions& options, const TrackerProcess& tracker);

struct FairnessOptions {
  int agents = 5;
  double trial_ms = 50;  // always the same
  int queued = 10'000;   // trials of the user who was there first
  int arriving = 50;     // of the user who comes then
};

struct FairnessReport {
  double alone_s = 0;   // the second user's trials, on an idle farm
  double shared_s = 0;  // the same behind the first user's
  double Ratio() const { return shared_s / alone_s; }
};

StatusOr<FairnessReport> MeasureFairness(const FairnessOptions& options, const TrackerProcess& tracker);

}  // namespace tilth
