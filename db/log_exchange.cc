// Export, import and merge: rows that travel between logs. Rows keep their identities (hashes, session and trial ids),
// so taking the same rows twice changes nothing.
#include <istream>
#include <ostream>
#include <string>

#include "db/log_json.h"
#include "db/tuning_log.h"

namespace tilth {

using sqlite::Transaction;

Status TuningLog::Export(std::ostream& out) const {
  out << ExportHeader() << '\n';
  TILTH_ASSIGN_OR_RETURN(const auto workloads, Workloads());
  for (const LoggedWorkload& workload : workloads) out << ToJson(workload) << '\n';
  TILTH_ASSIGN_OR_RETURN(const auto targets, Targets());
  for (const LoggedTarget& target : targets) out << ToJson(target) << '\n';
  TILTH_ASSIGN_OR_RETURN(const auto devices, Devices());
  for (const LoggedDevice& device : devices) out << ToJson(device) << '\n';
  TILTH_ASSIGN_OR_RETURN(const auto sessions, Sessions());
  for (const LoggedSession& session : sessions) out << ToJson(session) << '\n';
  TILTH_RETURN_IF_ERROR(ForEachRecord({}, [&](const TuningRecord& record) {
    out << ToJson(record) << '\n';
    return absl::OkStatus();
  }));
  out.flush();
  if (!out) return absl::ResourceExhaustedError("the export could not be written: is the disk full?");
  return absl::OkStatus();
}

StatusOr<MergeReport> TuningLog::Import(std::istream& in) {
  std::string line;
  int64_t number = 1;
  if (!std::getline(in, line)) return absl::InvalidArgumentError("line 1: the export is empty");
  TILTH_RETURN_IF_ERROR(CheckExportHeader(line), "line 1");
  TILTH_ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(*database_));
  MergeReport report;
  while (std::getline(in, line)) {
    ++number;
    if (line.empty()) continue;
    TILTH_ASSIGN_OR_RETURN(const LogRow row, RowFromJson(line), "line ", number);
    Status status;
    if (const auto* workload = std::get_if<LoggedWorkload>(&row)) {
      status = InsertWorkload(*workload);
    } else if (const auto* target = std::get_if<LoggedTarget>(&row)) {
      status = InsertTarget(*target);
    } else if (const auto* device = std::get_if<LoggedDevice>(&row)) {
      status = InsertDevice(*device);
    } else if (const auto* session = std::get_if<LoggedSession>(&row)) {
      status = InsertSession(*session);
    } else {
      const StatusOr<bool> is_new = InsertRecord(std::get<TuningRecord>(row));
      status = is_new.status();
      if (is_new.ok()) ++(*is_new ? report.new_records : report.known_records);
    }
    TILTH_RETURN_IF_ERROR(status, "line ", number);
  }
  TILTH_RETURN_IF_ERROR(transaction.Commit(), "importing");
  return report;
}

StatusOr<MergeReport> TuningLog::Merge(const TuningLog& other) {
  TILTH_ASSIGN_OR_RETURN(const auto workloads, other.Workloads());
  TILTH_ASSIGN_OR_RETURN(const auto targets, other.Targets());
  TILTH_ASSIGN_OR_RETURN(const auto devices, other.Devices());
  TILTH_ASSIGN_OR_RETURN(const auto sessions, other.Sessions());
  TILTH_ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(*database_));
  for (const LoggedWorkload& workload : workloads) TILTH_RETURN_IF_ERROR(InsertWorkload(workload), other.path());
  for (const LoggedTarget& target : targets) TILTH_RETURN_IF_ERROR(InsertTarget(target), other.path());
  for (const LoggedDevice& device : devices) TILTH_RETURN_IF_ERROR(InsertDevice(device), other.path());
  for (const LoggedSession& session : sessions) TILTH_RETURN_IF_ERROR(InsertSession(session), other.path());
  MergeReport report;
  TILTH_RETURN_IF_ERROR(other.ForEachRecord({}, [&](const TuningRecord& record) -> Status {
    TILTH_ASSIGN_OR_RETURN(const bool is_new, InsertRecord(record), other.path());
    ++(is_new ? report.new_records : report.known_records);
    return absl::OkStatus();
  }));
  TILTH_RETURN_IF_ERROR(transaction.Commit(), "merging ", other.path());
  return report;
}

}  // namespace tilth
