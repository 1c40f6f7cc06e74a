// Reading rows.
#include <string>

#include "db/log_json.h"
#include "db/log_schema.h"
#include "db/tuning_log.h"

namespace tilth {
namespace {

using sqlite::Statement;

constexpr std::string_view kRecordColumns =
    "trial_id, session_id, workload_hash, target_hash, device_fingerprint, decisions, space_version, feature_version, "
    "codegen_version, origin, status, detail, median_ns, spread, samples_ns, time_unix_ns, build_s, measure_s, "
    "artifact_hash";

// The current row of a statement that selects kRecordColumns.
StatusOr<TuningRecord> ReadRecord(const Statement& row) {
  TuningRecord record = {.trial_id = row.Text(0),
                         .session_id = row.Text(1),
                         .workload_hash = row.Text(2),
                         .target_hash = row.Text(3),
                         .device_fingerprint = row.Text(4),
                         .decisions = row.Text(5),
                         .space_version = static_cast<int>(row.Int64(6)),
                         .feature_version = static_cast<int>(row.Int64(7)),
                         .codegen_version = static_cast<int>(row.Int64(8)),
                         .origin = row.Text(9),
                         .status = row.Text(10),
                         .detail = row.Text(11),
                         .median_ns = row.Double(12),
                         .spread = row.Double(13),
                         .samples_ns = {},
                         .time_unix_ns = row.Int64(15),
                         .build_s = row.Double(16),
                         .measure_s = row.Double(17),
                         .artifact_hash = row.Text(18)};
  TILTH_ASSIGN_OR_RETURN(record.samples_ns, SamplesFromJson(row.Text(14)), "record ", record.trial_id);
  return record;
}

// "FROM record WHERE …" with the filter's values to bind, in order.
struct Condition {
  std::string sql = "FROM record";
  std::vector<std::string> values;
};

Condition ConditionOf(const RecordFilter& filter) {
  Condition condition;
  const auto add = [&](const std::string& value, std::string_view before, std::string_view after = "") {
    if (value.empty()) return;
    condition.values.push_back(value);
    StrAppend(&condition.sql, condition.values.size() == 1 ? " WHERE " : " AND ", before, "?", condition.values.size(),
              after);
  };
  add(filter.trial_id, "trial_id = ");
  add(filter.workload_hash, "workload_hash = ");
  add(filter.target_hash, "target_hash = ");
  add(filter.device_fingerprint, "device_fingerprint = ");
  add(filter.session_id, "session_id = ");
  add(filter.model_hash, "session_id IN (SELECT id FROM session WHERE model_hash = ", ")");
  add(filter.status, "status = ");
  return condition;
}

StatusOr<Statement> PrepareSelect(sqlite::Database& database, std::string_view columns, const RecordFilter& filter,
                                  std::string_view tail) {
  const Condition condition = ConditionOf(filter);
  TILTH_ASSIGN_OR_RETURN(Statement select, database.Prepare(StrCat("SELECT ", columns, " ", condition.sql, tail)));
  for (size_t i = 0; i < condition.values.size(); ++i) select.Bind(static_cast<int>(i + 1), condition.values[i]);
  return select;
}

// All rows of `sql`, each converted by `read`.
template <typename Row>
StatusOr<std::vector<Row>> ReadAll(StatusOr<Statement> select, absl::FunctionRef<Row(const Statement&)> read) {
  TILTH_RETURN_IF_ERROR(select.status());
  std::vector<Row> rows;
  for (;;) {
    TILTH_ASSIGN_OR_RETURN(const bool more, select->Step());
    if (!more) return rows;
    rows.push_back(read(*select));
  }
}

}  // namespace

StatusOr<std::vector<TuningRecord>> TuningLog::BestRecords(std::string_view workload_hash, std::string_view target_hash,
                                                           int k) const {
  TILTH_ASSIGN_OR_RETURN(
      Statement select,
      database_->Prepare(StrCat("SELECT ", kRecordColumns, " FROM ", kRankedRecords, " WHERE workload_hash = ?1 AND ",
                                "target_hash = ?2 ORDER BY ", kRankOrder, " LIMIT ?3")));
  select.BindAll(workload_hash, target_hash, k);
  std::vector<TuningRecord> best;
  for (;;) {
    TILTH_ASSIGN_OR_RETURN(const bool more, select.Step(), "looking for the best records");
    if (!more) return best;
    TILTH_ASSIGN_OR_RETURN(TuningRecord record, ReadRecord(select));
    best.push_back(std::move(record));
  }
}

Status TuningLog::ForEachRecord(const RecordFilter& filter,
                                absl::FunctionRef<Status(const TuningRecord&)> visit) const {
  TILTH_ASSIGN_OR_RETURN(Statement select, PrepareSelect(*database_, kRecordColumns, filter, " ORDER BY number"));
  for (;;) {
    TILTH_ASSIGN_OR_RETURN(const bool more, select.Step(), "reading records");
    if (!more) return absl::OkStatus();
    TILTH_ASSIGN_OR_RETURN(const TuningRecord record, ReadRecord(select));
    TILTH_RETURN_IF_ERROR(visit(record));
  }
}

StatusOr<int64_t> TuningLog::Count(const RecordFilter& filter) const {
  TILTH_ASSIGN_OR_RETURN(Statement select, PrepareSelect(*database_, "count(*)", filter, ""));
  TILTH_RETURN_IF_ERROR(select.Step().status(), "counting records");
  return select.Int64(0);
}

StatusOr<std::vector<TrialCount>> TuningLog::CountTrials(const RecordFilter& filter) const {
  return ReadAll<TrialCount>(
      PrepareSelect(*database_, "workload_hash, status, count(*)", filter, " GROUP BY 1, 2 ORDER BY 1, 2"),
      [](const Statement& row) { return TrialCount{row.Text(0), row.Text(1), row.Int64(2)}; });
}

StatusOr<std::vector<LoggedWorkload>> TuningLog::Workloads() const {
  return ReadAll<LoggedWorkload>(
      database_->Prepare("SELECT hash, text, name FROM workload ORDER BY hash"),
      [](const Statement& row) { return LoggedWorkload{row.Text(0), row.Text(1), row.Text(2)}; });
}

StatusOr<std::vector<LoggedTarget>> TuningLog::Targets() const {
  return ReadAll<LoggedTarget>(database_->Prepare("SELECT hash, text FROM target ORDER BY hash"),
                               [](const Statement& row) { return LoggedTarget{row.Text(0), row.Text(1)}; });
}

StatusOr<std::vector<LoggedDevice>> TuningLog::Devices() const {
  return ReadAll<LoggedDevice>(
      database_->Prepare("SELECT fingerprint, class, attributes FROM device ORDER BY fingerprint"),
      [](const Statement& row) { return LoggedDevice{row.Text(0), row.Text(1), row.Text(2)}; });
}

StatusOr<std::vector<LoggedSession>> TuningLog::Sessions() const {
  return ReadAll<LoggedSession>(
      database_->Prepare(
          "SELECT id, model, model_hash, arguments, seed, tilth_version, started_unix_ns, ended_unix_ns, "
          "summary FROM session ORDER BY started_unix_ns, id"),
      [](const Statement& row) {
        return LoggedSession{.id = row.Text(0),
                             .model = row.Text(1),
                             .model_hash = row.Text(2),
                             .arguments = row.Text(3),
                             .seed = static_cast<uint64_t>(row.Int64(4)),
                             .tilth_version = row.Text(5),
                             .started_unix_ns = row.Int64(6),
                             .ended_unix_ns = row.Int64(7),
                             .summary = row.Text(8)};
      });
}

}  // namespace tilth
