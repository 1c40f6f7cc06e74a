// TrialLog: a tuning session's view of the tuning log, in terms of tasks and outcomes.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "db/tuning_log.h"
#include "ir/target.h"
#include "proto/measure.h"
#include "tuner/measurer.h"
#include "tuner/tuning_task.h"

namespace tilth {

struct SessionInfo {
  std::string model;  // path
  std::string model_hash;
  std::string arguments_json = "{}";
  uint64_t seed = 0;
};

// A record of the log that fits today's space of a task.
struct LoadedRecord {
  int task = 0;
  Candidate candidate;
  MeasureErrorKind error = MeasureErrorKind::kNone;
  bool own = false;  // measured for this model
  const TuningRecord* record = nullptr;
};

// Where the time of a session went.
struct TimeSplit {
  double wall_s = 0;
  double search_s = 0, learn_s = 0;  // of the session's own thread
  DeviceUse device;
  int64_t candidates_scored = 0;
};

// What sessions of the same model and target have used up.
struct SessionTotals {
  TimeSplit split;  // of those that have ended
  double build_s = 0;
  double measure_s = 0;
  int duplicates = 0;
  int64_t stale_records = 0;
};

// One session, one thread.
class TrialLog {
 public:
  // Opens or creates the log.
  static StatusOr<std::unique_ptr<TrialLog>> Open(const std::string& path, const Target& target,
                                                  const SessionInfo& info);

  // Visits every record of the tasks' workloads and this target, in the order of appending.
  Status Load(const std::vector<TuningTask>& tasks, const std::function<void(const LoadedRecord&)>& visit);
  // After Load.
  const SessionTotals& totals() const { return totals_; }

  // The peak of the device that measured last, as it was logged; 0: unknown.
  double logged_peak_gflops() const { return peak_gflops_; }

  bool HasDevice(const std::string& fingerprint) const { return device_peaks_.contains(fingerprint); }
  Status PutDevice(const Device& device);

  // Writes what records refer to; `device` stands for its class, of which there are `num_devices`. To be called before
  // Append.
  Status BeginSession(const std::vector<TuningTask>& tasks, const Device& device, int num_devices = 1);
  // The same for a replay of `session`: its rows, identities and times are repeated.
  Status BeginReplay(const std::vector<TuningTask>& tasks, const LoggedSession& session,
                     const std::vector<LoggedDevice>& devices);
  // Whether the log has a record of the trial.
  StatusOr<bool> Has(const std::string& trial_id) const;
  // Durable when it returns. Outcomes that the farm could not carry out must not be among them, and the log must have
  // their devices.
  Status Append(const std::vector<TuningTask>& tasks, const std::vector<MeasureOutcome>& outcomes);
  Status EndSession(const TimeSplit& split);

  // Unique over all logs.
  const std::string& session_id() const { return session_id_; }
  std::string NextTrialId();
  // Sessions of this model and target that have not ended: killed, or at work in another process.
  const std::vector<std::string>& unfinished_sessions() const { return unfinished_sessions_; }

 private:
  TrialLog(std::unique_ptr<TuningLog> log, const Target& target, const SessionInfo& info);
  Status ReadSessions();
  void AddSummary(const std::string& summary);
  Status PutTasks(const std::vector<TuningTask>& tasks);
  TuningRecord RecordOf(const TuningTask& task, const MeasureOutcome& outcome) const;

  std::unique_ptr<TuningLog> log_;
  Target target_;
  std::string target_hash_;
  SessionInfo info_;
  std::string session_id_;
  std::optional<LoggedSession> replayed_;
  int64_t next_trial_ = 0;
  std::string device_fingerprint_;
  double peak_gflops_ = 0;
  std::map<std::string, double> device_peaks_;  // by fingerprint
  std::vector<std::string> own_sessions_;       // sorted
  std::vector<std::string> unfinished_sessions_;
  SessionTotals totals_;
};

}  // namespace tilth
