// Verify and gc.
#include <string>

#include "db/log_check.h"
#include "db/log_schema.h"
#include "db/tuning_log.h"

namespace tilth {
namespace {

using sqlite::Database;
using sqlite::Statement;
using sqlite::Transaction;

StatusOr<int64_t> SizeInBytes(Database& database) {
  TILTH_ASSIGN_OR_RETURN(Statement select, database.Prepare("SELECT page_count * page_size FROM pragma_page_count, "
                                                            "pragma_page_size"));
  TILTH_RETURN_IF_ERROR(select.Step().status());
  return select.Int64(0);
}

// Runs one DELETE and returns how many rows it took.
StatusOr<int64_t> Delete(Database& database, const std::string& sql) {
  TILTH_RETURN_IF_ERROR(database.Execute(sql));
  return database.Changes();
}

// What SQLite itself finds.
Status AddDamage(Database& database, std::vector<std::string>& problems) {
  TILTH_ASSIGN_OR_RETURN(Statement integrity, database.Prepare("PRAGMA integrity_check(20)"));
  for (;;) {
    TILTH_ASSIGN_OR_RETURN(const bool more, integrity.Step());
    if (!more) break;
    if (integrity.Text(0) != "ok") problems.push_back(StrCat("damaged: ", integrity.Text(0)));
  }
  TILTH_ASSIGN_OR_RETURN(
      Statement references,
      database.Prepare("SELECT \"table\", parent, count(*) FROM pragma_foreign_key_check GROUP BY 1, 2"));
  for (;;) {
    TILTH_ASSIGN_OR_RETURN(const bool more, references.Step());
    if (!more) return absl::OkStatus();
    problems.push_back(
        StrCat(references.Int64(2), " rows of ", references.Text(0), " refer to a missing ", references.Text(1)));
  }
}

template <typename Row>
void AddWrongRows(const std::vector<Row>& rows, std::vector<std::string>& problems) {
  for (const Row& row : rows) {
    if (const Status status = CheckRow(row); !status.ok()) problems.push_back(std::string(status.message()));
  }
}

}  // namespace

StatusOr<std::vector<std::string>> TuningLog::Verify() const {
  std::vector<std::string> problems;
  TILTH_RETURN_IF_ERROR(AddDamage(*database_, problems));
  if (!problems.empty()) return problems;
  TILTH_ASSIGN_OR_RETURN(const auto workloads, Workloads());
  AddWrongRows(workloads, problems);
  TILTH_ASSIGN_OR_RETURN(const auto targets, Targets());
  AddWrongRows(targets, problems);
  TILTH_ASSIGN_OR_RETURN(const auto devices, Devices());
  AddWrongRows(devices, problems);
  TILTH_ASSIGN_OR_RETURN(const auto sessions, Sessions());
  AddWrongRows(sessions, problems);
  const Status read = ForEachRecord({}, [&](const TuningRecord& record) {
    if (const Status status = CheckRow(record); !status.ok()) problems.push_back(std::string(status.message()));
    return absl::OkStatus();
  });
  if (!read.ok()) problems.push_back(std::string(read.message()));
  return problems;
}

StatusOr<GcReport> TuningLog::Gc(const GcOptions& options) {
  GcReport report;
  TILTH_ASSIGN_OR_RETURN(report.bytes_before, SizeInBytes(*database_));
  {
    TILTH_ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(*database_));
    std::vector<std::string> deletions;
    if (options.keep_best > 0) {
      // Wrong answers stay: they keep a candidate from being the best.
      deletions.push_back(
          StrCat("DELETE FROM record WHERE status NOT IN ('", kStatusOk, "', '", kStatusWrongAnswer, "')"));
      deletions.push_back(StrCat("DELETE FROM record WHERE status = '", kStatusOk,
                                 "' AND number NOT IN (SELECT number FROM (SELECT number, row_number() OVER "
                                 "(PARTITION BY workload_hash, target_hash ORDER BY ",
                                 kRankOrder, ") AS rank FROM ", kRankedRecords, ") WHERE rank <= ", options.keep_best,
                                 ")"));
    }
    for (const std::string_view reference :
         {"workload WHERE hash NOT IN (SELECT workload_hash", "target WHERE hash NOT IN (SELECT target_hash",
          "device WHERE fingerprint NOT IN (SELECT device_fingerprint",
          "session WHERE ended_unix_ns != 0 AND id NOT IN (SELECT session_id"}) {
      deletions.push_back(StrCat("DELETE FROM ", reference, " FROM record)"));
    }
    for (const std::string& deletion : deletions) {
      TILTH_ASSIGN_OR_RETURN(const int64_t removed, Delete(*database_, deletion), "collecting garbage");
      report.removed_rows += removed;
    }
    TILTH_RETURN_IF_ERROR(transaction.Commit(), "collecting garbage");
  }
  TILTH_RETURN_IF_ERROR(database_->Execute("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)"), "compacting");
  TILTH_ASSIGN_OR_RETURN(report.bytes_after, SizeInBytes(*database_));
  return report;
}

}  // namespace tilth
