// Which candidate each kernel of a build uses: the best verified record of the tuning log; without one, what a model
// expects to be clearly faster than the default; or the default.
//
// The compiler compiles what it is given; this is where that is decided (DESIGN §3).
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "search_space/space.h"

namespace tilth {

class CostModel;
class TuningLog;

struct Selection {
  Candidate candidate;
  Decisions decisions;        // of `candidate`, as a manifest or a log stores them
  bool tuned = false;         // from a verified record
  double predicted_gain = 0;  // chosen by the model, which expects it to be so many times as fast as the default
  double median_ns = 0;       // of that record; 0 when not tuned
  int64_t stale_records = 0;  // faster records that do not fit this space version any more and were passed over
};

// The candidate for `space`. `log` and `model` (of -log2 of time) may be null. Errors: those of reading the log and of
// the model. Deterministic: the same log, model and space give the same candidate.
StatusOr<Selection> SelectCandidate(const SearchSpace& space, const TuningLog* log, const CostModel* model = nullptr);

// One selection per space, in order. With `strict`, a kernel without a usable record is a FAILED_PRECONDITION error
// that names every such kernel and the remedy.
StatusOr<std::vector<Selection>> SelectCandidates(const std::vector<const SearchSpace*>& spaces, const TuningLog* log,
                                                  bool strict, const CostModel* model = nullptr);

}  // namespace tilth
