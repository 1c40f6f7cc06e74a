// Builds and times points of a kernel author's space on this machine, in child processes.
#pragma once

#include <string>
#include <vector>

#include "base/files.h"
#include "proto/measure.h"
#include "tuner/space_document.h"

namespace tilth {

struct SpaceResult {
  MeasureErrorKind error = MeasureErrorKind::kNone;
  std::string detail;              // of a failure: what happened, and the end of stderr
  std::vector<double> samples_ns;  // one a run
  double median_ns = 0, spread = 0;
  double build_s = 0, measure_s = 0;
};

// One thread at a time. `document` outlives it.
class SpaceRunner {
 public:
  static StatusOr<SpaceRunner> Create(const SpaceDocument& document);

  // A point that does not compile, fails or takes too long is a result. Errors: a program that cannot be started.
  StatusOr<SpaceResult> Measure(const Candidate& candidate);

 private:
  SpaceRunner(const SpaceDocument& document, TempDir directory)
      : document_(document), directory_(std::move(directory)) {}
  StatusOr<bool> Compile(const Candidate& candidate, SpaceResult* result);
  StatusOr<bool> RunOnce(const std::vector<std::string>& arguments, SpaceResult* result);
  std::string WithValues(const std::string& argument, const Candidate& candidate) const;

  const SpaceDocument& document_;
  TempDir directory_;
};

// The time that a program printed: the last line that is a number and one of the units ns, us, ms, s, after an optional
// "time:" or "time=", as in "time: 1.25 ms". 0: there is no such line.
double PrintedNs(std::string_view output);

}  // namespace tilth
