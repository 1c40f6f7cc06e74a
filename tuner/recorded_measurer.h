// A session that was recorded in a log, and a Measurer that repeats it: recorded rows answer instead of a device.
//
// What a session decides depends on its seed, its options and the results in the order in which they came, which is
// the order of its rows. So a replay with the same seed and options proposes the same candidates, picks the same
// winners and writes the same log, byte for byte in an export. With another seed, other options or another version of
// the search it explores what was recorded: candidates without a row come back as unrecorded.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "db/tuning_log.h"
#include "ir/target.h"
#include "tuner/measurer.h"
#include "tuner/tuning_task.h"

namespace tilth {

struct RecordedSession {
  LoggedSession session;
  std::vector<LoggedDevice> devices;  // all of its rows'; the first stands for its class
  std::vector<TuningRecord> records;  // in the order in which they came
  int trials = 0;                     // what it was allowed
  int num_devices = 1;                // that measured side by side
  std::string cost_model;             // hash of the model that it began with, or "none"; empty: not recorded
};

// The first session of the model and target in the log at `path`: later ones continued what it had begun. NOT_FOUND:
// there is none with a result.
StatusOr<RecordedSession> ReadRecordedSession(const std::string& path, const std::string& model_hash,
                                              const Target& target);

// FAILED_PRECONDITION, with the remedy, if the session began with another cost model than the one with this hash: it
// would have proposed other candidates.
Status CheckCostModel(const RecordedSession& recorded, const std::string& hash);

// Rows that do not fit today's spaces of `tasks` are left out. `session` and `tasks` outlive it. Wait never waits, and
// returns nothing once every row has been given.
std::unique_ptr<Measurer> MakeRecordedMeasurer(const RecordedSession& session, const std::vector<TuningTask>& tasks);

}  // namespace tilth
