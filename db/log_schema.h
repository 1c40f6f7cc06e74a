// The tables of the tuning log, by version. Internal to db; docs/log-format.md explains them.
#pragma once

#include "db/schema.h"

namespace tilth {

// The view `verified` with a column more, `superseded`: a comparison of the same workload and target is younger than
// the record, and the record is of none.
inline constexpr char kRankedRecords[] =
    "(SELECT *, coalesce(origin <> 'final' AND time_unix_ns <= max(CASE origin WHEN 'final' THEN time_unix_ns END) "
    "OVER (PARTITION BY workload_hash, target_hash), 0) AS superseded FROM verified)";
// The best of them first.
inline constexpr char kRankOrder[] = "superseded, median_ns, trial_id";

const sqlite::Schema& TuningLogSchema();

}  // namespace tilth
