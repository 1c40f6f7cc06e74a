// Opening the log and writing rows.
#include "db/tuning_log.h"

#include "db/log_check.h"
#include "db/log_json.h"
#include "db/log_schema.h"

namespace tilth {

using sqlite::Statement;
using sqlite::Transaction;

StatusOr<std::unique_ptr<TuningLog>> TuningLog::Open(const std::string& path, const sqlite::Options& options) {
  TILTH_ASSIGN_OR_RETURN(auto database, sqlite::Database::Open(path, options), "opening the tuning log");
  TILTH_RETURN_IF_ERROR(options.mode == Mode::kReadOnly ? sqlite::CheckVersion(*database, TuningLogSchema())
                                                        : sqlite::Migrate(*database, TuningLogSchema()),
                        "opening the tuning log");
  return std::unique_ptr<TuningLog>(new TuningLog(std::move(database)));
}

// A single INSERT is a transaction of its own.
Status TuningLog::PutWorkload(const LoggedWorkload& workload) { return InsertWorkload(workload); }
Status TuningLog::PutTarget(const LoggedTarget& target) { return InsertTarget(target); }
Status TuningLog::PutDevice(const LoggedDevice& device) { return InsertDevice(device); }

Status TuningLog::BeginSession(const LoggedSession& session) {
  TILTH_RETURN_IF_ERROR(InsertSession(session));
  if (database_->Changes() == 0) {
    return absl::AlreadyExistsError(StrCat(path(), ": session ", session.id, " exists already"));
  }
  return absl::OkStatus();
}

Status TuningLog::EndSession(std::string_view session_id, int64_t ended_unix_ns, std::string_view summary_json) {
  if (!IsJsonObject(summary_json)) return absl::InvalidArgumentError("the summary of a session must be a JSON object");
  TILTH_ASSIGN_OR_RETURN(Statement update,
                         database_->Prepare("UPDATE session SET ended_unix_ns = ?2, summary = ?3 WHERE id = ?1"));
  TILTH_RETURN_IF_ERROR(update.BindAll(session_id, ended_unix_ns, summary_json).Run(), "ending session ", session_id);
  if (database_->Changes() == 0) return absl::NotFoundError(StrCat(path(), ": there is no session ", session_id));
  return absl::OkStatus();
}

StatusOr<int64_t> TuningLog::Append(absl::Span<const TuningRecord> records) {
  TILTH_ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(*database_));
  int64_t inserted = 0;
  for (const TuningRecord& record : records) {
    TILTH_ASSIGN_OR_RETURN(const bool is_new, InsertRecord(record));
    inserted += is_new;
  }
  TILTH_RETURN_IF_ERROR(transaction.Commit(), "appending ", records.size(), " records");
  return inserted;
}

Status TuningLog::Append(const TuningRecord& record) { return Append(absl::MakeConstSpan(&record, 1)).status(); }

Status TuningLog::InsertWorkload(const LoggedWorkload& workload) {
  TILTH_RETURN_IF_ERROR(CheckRow(workload));
  TILTH_ASSIGN_OR_RETURN(Statement insert,
                         database_->Prepare("INSERT INTO workload(hash, text, name) VALUES(?1, ?2, ?3) "
                                            "ON CONFLICT DO NOTHING"));
  return Annotate(insert.BindAll(workload.hash, workload.text, workload.name).Run(), "storing a workload");
}

Status TuningLog::InsertTarget(const LoggedTarget& target) {
  TILTH_RETURN_IF_ERROR(CheckRow(target));
  TILTH_ASSIGN_OR_RETURN(Statement insert, database_->Prepare("INSERT INTO target(hash, text) VALUES(?1, ?2) "
                                                              "ON CONFLICT DO NOTHING"));
  return Annotate(insert.BindAll(target.hash, target.text).Run(), "storing a target");
}

Status TuningLog::InsertDevice(const LoggedDevice& device) {
  TILTH_RETURN_IF_ERROR(CheckRow(device));
  TILTH_ASSIGN_OR_RETURN(Statement insert,
                         database_->Prepare("INSERT INTO device(fingerprint, class, attributes) VALUES(?1, ?2, ?3) "
                                            "ON CONFLICT DO NOTHING"));
  return Annotate(insert.BindAll(device.fingerprint, device.device_class, device.attributes).Run(), "storing a device");
}

Status TuningLog::InsertSession(const LoggedSession& session) {
  TILTH_RETURN_IF_ERROR(CheckRow(session));
  TILTH_ASSIGN_OR_RETURN(
      Statement insert,
      database_->Prepare("INSERT INTO session(id, model, model_hash, arguments, seed, tilth_version, started_unix_ns, "
                         "ended_unix_ns, summary) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING"));
  insert.BindAll(session.id, session.model, session.model_hash, session.arguments, session.seed, session.tilth_version,
                 session.started_unix_ns, session.ended_unix_ns, session.summary);
  return Annotate(insert.Run(), "storing a session");
}

StatusOr<bool> TuningLog::InsertRecord(const TuningRecord& record) {
  TILTH_RETURN_IF_ERROR(CheckRow(record));
  TILTH_ASSIGN_OR_RETURN(
      Statement insert,
      database_->Prepare(
          "INSERT INTO record(trial_id, session_id, workload_hash, target_hash, device_fingerprint, decisions, "
          "space_version, feature_version, codegen_version, origin, status, detail, median_ns, spread, samples_ns, "
          "time_unix_ns, build_s, measure_s, artifact_hash) "
          "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19) "
          "ON CONFLICT(trial_id) DO NOTHING"));
  insert.BindAll(record.trial_id, record.session_id, record.workload_hash, record.target_hash,
                 record.device_fingerprint, record.decisions, record.space_version, record.feature_version,
                 record.codegen_version, record.origin, record.status, record.detail, record.median_ns, record.spread,
                 SamplesToJson(record.samples_ns), record.time_unix_ns, record.build_s, record.measure_s,
                 record.artifact_hash);
  TILTH_RETURN_IF_ERROR(insert.Run(), "appending trial ", record.trial_id,
                        " (its session, workload, target and device must be in the log)");
  return database_->Changes() > 0;
}

}  // namespace tilth
