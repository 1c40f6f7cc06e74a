// Tunes a kernel author's own space on this machine: proposes points, has them run, and keeps every result in the
// tuning log. What `session.h` is for models.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/status.h"
#include "tuner/progress.h"
#include "tuner/space_document.h"

namespace tilth {

struct SpaceTuneOptions {
  std::string path;          // of the document, for people
  std::string log_path;      // created if it is not there
  int trials = 1000;         // in total for this document and log
  double time_budget_s = 0;  // of this call; 0: none
  uint64_t seed = 1;
  std::string policy = "evolutionary";  // tuner/policies.h
};

struct SpaceTuneSummary {
  std::string name;
  uint64_t points = 0;                  // 0: too many to count
  int trials = 0;                       // in the log, this call's among them
  std::map<std::string, int> failures;  // by kind
  std::string best;                     // the fastest point as a JSON object; empty: everything failed
  double best_ns = 0;
  double first_ns = 0;            // the first point that did not fail
  int64_t candidates_scored = 0;  // by this call
  double elapsed_s = 0;           // of this call
  std::string stopped_because;
  bool interrupted = false;
};

// Runs until the trials are used up, the whole space has been measured, the time is over, or `*stop` becomes true.
// Every result is in the log before the next point is proposed: the same call continues after any end, and the same
// results lead to the same proposals. Errors: an unknown policy, a log that cannot be written, a program that cannot be
// started. `progress` and `stop` may be null.
StatusOr<SpaceTuneSummary> TuneSpace(const SpaceDocument& document, const SpaceTuneOptions& options, Progress* progress,
                                     const std::atomic<bool>* stop);

// For people, and as one JSON document.
std::string ToTable(const SpaceTuneSummary& summary);
std::string ToJson(const SpaceTuneSummary& summary);

}  // namespace tilth
