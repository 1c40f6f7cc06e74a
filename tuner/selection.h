// Which candidate each kernel of a build uses: the best verified record of the tuning log, or the default.
//
// The compiler compiles what it is given; this is where that is decided (DESIGN §3).
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "search_space/space.h"

namespace tilth {

class TuningLog;

struct Selection {
  Candidate candidate;
  Decisions decisions;        // of `candidate`, as a manifest or a log stores them
  bool tuned = false;         // from a verified record; otherwise the default
  double median_ns = 0;       // of that record; 0 when not tuned
  int64_t stale_records = 0;  // faster records that do not fit this space version any more and were passed over
};

// The candidate for `space`. `log` may be null (no log: the default). Errors: those of reading the log.
// Deterministic: the same log and the same space give the same candidate.
StatusOr<Selection> SelectCandidate(const SearchSpace& space, const TuningLog* log);

// One selection per space, in order. With `strict`, a kernel without a usable record is a FAILED_PRECONDITION error
// that names every such kernel and the remedy.
StatusOr<std::vector<Selection>> SelectCandidates(const std::vector<const SearchSpace*>& spaces, const TuningLog* log,
                                                  bool strict);

}  // namespace tilth
