// TuningLog: the SQLite file with everything that was ever measured. It is the only truth: builds pick kernels from it,
// models train on it, and a session that is started again continues from it. docs/log-format.md describes the tables.
//
// Workloads and targets are content-addressed texts, decisions are JSON text; what they mean is the business of ir and
// search_space. A record refers to its session, workload, target and device, which must have been put before.
//
// One process writes at a time (others wait, then fail with kUnavailable); readers are never blocked. Every mutating
// call is one durable transaction: when it returns OK, the rows survive SIGKILL and power cuts. A TuningLog belongs to
// one thread at a time. Errors carry the codes of db/sqlite.h, kFailedPrecondition for a newer schema and
// kInvalidArgument for rows that make no sense.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "base/status.h"
#include "db/sqlite.h"

namespace tilth {

// The status of a record that was verified and timed; every other status is
// ToString of a MeasureErrorKind.
inline constexpr std::string_view kStatusOk = "ok";
// The origin of a record that was measured side by side with its rivals. Where a task has such records, a time that was
// taken alone before the last of them is no rival of theirs: the quickest of many single measurements is a lucky one.
inline constexpr char kOriginFinal[] = "final";
// A candidate with one such record is never the best again, whatever its other records say.
inline constexpr std::string_view kStatusWrongAnswer = "wrong answer";

struct LoggedWorkload {
  std::string hash;  // ContentHash(text)
  std::string text;  // canonical
  std::string name;  // for people; the first one put stays
};

struct LoggedTarget {
  std::string hash;  // ContentHash(text)
  std::string text;
};

struct LoggedDevice {
  std::string fingerprint;
  std::string device_class;
  std::string attributes = "{}";  // JSON object: processor, cores, peaks, kernel, …
};

struct LoggedSession {
  std::string id;                // unique
  std::string model;             // for people: the path or name given
  std::string model_hash;        // what resuming goes by
  std::string arguments = "{}";  // JSON object
  uint64_t seed = 0;
  std::string tilth_version;
  int64_t started_unix_ns = 0;
  int64_t ended_unix_ns = 0;   // 0: still running, or killed
  std::string summary = "{}";  // JSON object, of the tuner's making
};

struct TuningRecord {
  std::string trial_id;  // unique over all logs
  std::string session_id;
  std::string workload_hash;
  std::string target_hash;
  std::string device_fingerprint;
  std::string decisions;  // JSON object of named decisions
  int space_version = 0;
  int feature_version = 0;
  int codegen_version = 0;
  std::string origin;  // why it was tried: "default", "prior", "evolution", …
  std::string status = std::string(kStatusOk);
  std::string detail;    // of a failure: the first lines of stderr
  double median_ns = 0;  // > 0 if ok, else 0
  double spread = 0;     // relative interquartile range
  std::vector<double> samples_ns;
  int64_t time_unix_ns = 0;  // when the measurement ended
  double build_s = 0;
  double measure_s = 0;
  std::string artifact_hash;

  bool ok() const { return status == kStatusOk; }
};

// Empty strings do not restrict.
struct RecordFilter {
  std::string trial_id;
  std::string workload_hash;
  std::string target_hash;
  std::string device_fingerprint;
  std::string session_id;
  std::string model_hash;
  std::string status;
};

struct TrialCount {
  std::string workload_hash;
  std::string status;
  int64_t count = 0;
};

struct MergeReport {
  int64_t new_records = 0;
  int64_t known_records = 0;  // trial ids that were there already; the row there stays
};

struct GcOptions {
  // If > 0: keeps only the best records of each workload and target, and drops failures. What is dropped no
  // longer trains a model, nor counts when a session resumes. 0 drops nothing but rows that no record refers to.
  int keep_best = 0;
};

struct GcReport {
  int64_t removed_rows = 0;
  int64_t bytes_before = 0;
  int64_t bytes_after = 0;
};

class TuningLog {
 public:
  using Mode = sqlite::Mode;

  static StatusOr<std::unique_ptr<TuningLog>> Open(const std::string& path, const sqlite::Options& options = {});

  const std::string& path() const { return database_->path(); }

  // Put rows that are there already are left as they are.
  Status PutWorkload(const LoggedWorkload& workload);
  Status PutTarget(const LoggedTarget& target);
  Status PutDevice(const LoggedDevice& device);

  Status BeginSession(const LoggedSession& session);
  Status EndSession(std::string_view session_id, int64_t ended_unix_ns, std::string_view summary_json);

  // Appends all or nothing, and returns how many were new: a trial id that is there already is skipped, so that a
  // result may be delivered twice.
  StatusOr<int64_t> Append(absl::Span<const TuningRecord> records);
  Status Append(const TuningRecord& record);

  // The at most k best candidates, best first, one record each: the latest that is ok. Those that were compared side by
  // side, or measured since, come before the others; then the faster before the slower. Candidates that ever gave a wrong
  // answer are left out.
  StatusOr<std::vector<TuningRecord>> BestRecords(std::string_view workload_hash, std::string_view target_hash,
                                                  int k) const;

  // Calls visit in the order of appending until it returns an error, which becomes the result. The visitor may read
  // from this log, and not write to it.
  Status ForEachRecord(const RecordFilter& filter, absl::FunctionRef<Status(const TuningRecord&)> visit) const;
  StatusOr<int64_t> Count(const RecordFilter& filter) const;
  // Records grouped by workload and status, ordered by both: what a session that resumes has behind it.
  StatusOr<std::vector<TrialCount>> CountTrials(const RecordFilter& filter) const;

  StatusOr<std::vector<LoggedWorkload>> Workloads() const;
  StatusOr<std::vector<LoggedTarget>> Targets() const;
  StatusOr<std::vector<LoggedDevice>> Devices() const;
  StatusOr<std::vector<LoggedSession>> Sessions() const;  // oldest first

  // JSON lines, one row each after a header line. Import takes all or nothing; its errors name the line.
  Status Export(std::ostream& out) const;
  StatusOr<MergeReport> Import(std::istream& in);
  StatusOr<MergeReport> Merge(const TuningLog& other);

  // What is wrong with the file, one sentence each: damage, texts that do not match their hashes, rows that make no
  // sense. Empty: sound.
  StatusOr<std::vector<std::string>> Verify() const;
  StatusOr<GcReport> Gc(const GcOptions& options);

 private:
  explicit TuningLog(std::unique_ptr<sqlite::Database> database) : database_(std::move(database)) {}

  // These write within the caller's transaction.
  Status InsertWorkload(const LoggedWorkload& workload);
  Status InsertTarget(const LoggedTarget& target);
  Status InsertDevice(const LoggedDevice& device);
  Status InsertSession(const LoggedSession& session);
  StatusOr<bool> InsertRecord(const TuningRecord& record);

  std::unique_ptr<sqlite::Database> database_;
};

}  // namespace tilth
