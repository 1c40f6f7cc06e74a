// Queries of the tuning log turned into tables and JSON.
#include "cli/log_views.h"

#include <algorithm>
#include <deque>
#include <filesystem>
#include <map>

#include "absl/strings/match.h"
#include "cli/table.h"
#include "ir/workload.h"
#include "nlohmann/json.hpp"

namespace tilth {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kShownHash = 8;

std::string Dump(const Json& document) { return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; }

Json Parsed(const std::string& text) { return Json::parse(text, nullptr, /*allow_exceptions=*/false); }

// 0 for a text that this version of Tilth cannot read.
double FlopsOf(const LoggedWorkload& workload) {
  const StatusOr<Workload> parsed = ParseWorkload(workload.text);
  return parsed.ok() ? Flops(*parsed) : 0;
}

StatusOr<std::vector<LoggedWorkload>> MatchingWorkloads(const TuningLog& log, const std::string& wanted) {
  TILTH_ASSIGN_OR_RETURN(std::vector<LoggedWorkload> workloads, log.Workloads());
  std::erase_if(workloads, [&](const LoggedWorkload& workload) {
    return !absl::StartsWith(workload.hash, wanted) && !absl::StrContains(workload.name, wanted);
  });
  if (workloads.empty() && !wanted.empty()) {
    return absl::NotFoundError(StrCat(log.path(),
                                      ": no workload has a hash that begins with, or a name that contains, '", wanted,
                                      "': `tilth log best ", log.path(), "` lists them"));
  }
  std::sort(workloads.begin(), workloads.end(), [](const LoggedWorkload& a, const LoggedWorkload& b) {
    return std::tie(a.name, a.hash) < std::tie(b.name, b.hash);
  });
  return workloads;
}

// A fresh log may hold nothing, and that is no error.
StatusOr<std::map<std::string, int64_t>> CountsByStatus(const TuningLog& log, const RecordFilter& filter) {
  TILTH_ASSIGN_OR_RETURN(const auto counts, log.CountTrials(filter));
  std::map<std::string, int64_t> by_status;
  for (const TrialCount& count : counts) by_status[count.status] += count.count;
  return by_status;
}

std::string DescribeStatuses(const std::map<std::string, int64_t>& by_status) {
  std::string text;
  for (const auto& [status, count] : by_status) {
    StrAppend(&text, text.empty() ? "" : ", ", FormatCount(count), " ", status);
  }
  return text.empty() ? "none" : text;
}

Json ToJson(const LoggedSession& session, int64_t records) {
  return {{"id", session.id},
          {"model", session.model},
          {"seed", session.seed},
          {"tilth_version", session.tilth_version},
          {"started_unix_ns", session.started_unix_ns},
          {"ended_unix_ns", session.ended_unix_ns},
          {"records", records},
          {"arguments", Parsed(session.arguments)},
          {"summary", Parsed(session.summary)}};
}

Json RecordJson(const TuningRecord& record) {
  return {{"trial_id", record.trial_id},
          {"session", record.session_id},
          {"workload", record.workload_hash},
          {"target", record.target_hash},
          {"device", record.device_fingerprint},
          {"status", record.status},
          {"median_ns", record.median_ns},
          {"spread", record.spread},
          {"samples", record.samples_ns.size()},
          {"origin", record.origin},
          {"time_unix_ns", record.time_unix_ns},
          {"decisions", Parsed(record.decisions)},
          {"detail", record.detail}};
}

std::string MedianText(const TuningRecord& record) { return record.ok() ? FormatDuration(record.median_ns) : "-"; }

std::string SpreadText(const TuningRecord& record) {
  return record.ok() ? absl::StrFormat("%.1f%%", record.spread * 100) : "-";
}

// The records of one workload in the order they were measured, reduced to those that were the fastest so far.
StatusOr<std::vector<TuningRecord>> Improvements(const TuningLog& log, const std::string& workload_hash) {
  std::vector<TuningRecord> improvements;
  TILTH_RETURN_IF_ERROR(log.ForEachRecord(
      {.workload_hash = workload_hash, .status = std::string(kStatusOk)}, [&](const TuningRecord& record) {
        if (improvements.empty() || record.median_ns < improvements.back().median_ns) {
          improvements.push_back(record);
        }
        return absl::OkStatus();
      }));
  return improvements;
}

// What `explain` tells, gathered once for both forms of output.
struct Explanation {
  LoggedWorkload workload;
  double flops = 0;
  std::map<std::string, int64_t> by_status;
  std::vector<TuningRecord> improvements;
  std::vector<TuningRecord> best;  // one for each target, where there is one
};

Json ExplanationJson(const Explanation& explanation) {
  Json document = {
      {"workload", explanation.workload.hash}, {"name", explanation.workload.name}, {"flops", explanation.flops},
      {"statuses", explanation.by_status},     {"text", explanation.workload.text}, {"best", Json::array()},
      {"improvements", Json::array()}};
  for (const TuningRecord& record : explanation.best) document["best"].push_back(RecordJson(record));
  for (const TuningRecord& record : explanation.improvements) {
    document["improvements"].push_back(
        {{"trial_id", record.trial_id}, {"median_ns", record.median_ns}, {"origin", record.origin}});
  }
  return document;
}

std::string ExplanationText(const Explanation& explanation) {
  std::string text = StrCat("workload  ", explanation.workload.hash, "  ", explanation.workload.name, "\nrecords   ",
                            DescribeStatuses(explanation.by_status), "\n\n", explanation.workload.text, "\n");
  if (explanation.best.empty()) {
    return StrCat(text, "\nNo verified record: a build takes the default for it.\n");
  }
  for (const TuningRecord& record : explanation.best) {
    StrAppend(&text, "\nbest for target ", record.target_hash.substr(0, kShownHash), ": ", MedianText(record), " (",
              FormatGflops(explanation.flops, record.median_ns), " GFLOP/s, spread ", SpreadText(record), ", ",
              record.samples_ns.size(), " samples), found by ", record.origin, "\n");
    const Json decisions = Parsed(record.decisions);
    for (const auto& [name, value] : decisions.items()) StrAppend(&text, "  ", name, " = ", value.dump(), "\n");
  }
  Table table({{"time"},
               {"median", Column::kNumber},
               {"GFLOP/s", Column::kNumber},
               {"found by"},
               {"trial", Column::kFlexible}});
  for (const TuningRecord& record : explanation.improvements) {
    table.AddRow({FormatTime(record.time_unix_ns), MedianText(record),
                  FormatGflops(explanation.flops, record.median_ns), record.origin, record.trial_id});
  }
  return StrCat(text, "\nimprovements, all targets:\n", table.Render(TerminalWidth()));
}

}  // namespace

StatusOr<std::string> ViewStats(const TuningLog& log, const LogViewOptions& options) {
  TILTH_ASSIGN_OR_RETURN(const auto by_status, CountsByStatus(log, {}));
  TILTH_ASSIGN_OR_RETURN(const auto workloads, log.Workloads());
  TILTH_ASSIGN_OR_RETURN(const auto targets, log.Targets());
  TILTH_ASSIGN_OR_RETURN(const auto devices, log.Devices());
  TILTH_ASSIGN_OR_RETURN(const auto sessions, log.Sessions());
  int64_t records = 0;
  for (const auto& [status, count] : by_status) records += count;
  std::error_code no_size;
  const auto bytes = static_cast<int64_t>(std::filesystem::file_size(log.path(), no_size));

  Json document = {{"path", log.path()},
                   {"bytes", bytes},
                   {"records", records},
                   {"statuses", by_status},
                   {"workloads", workloads.size()},
                   {"targets", targets.size()},
                   {"devices", devices.size()},
                   {"sessions", Json::array()}};
  Table table({{"started"},
               {"ended"},
               {"records", Column::kNumber},
               {"version"},
               {"session", Column::kFlexible},
               {"model", Column::kFlexible}});
  for (const LoggedSession& session : sessions) {
    TILTH_ASSIGN_OR_RETURN(const int64_t count, log.Count({.session_id = session.id}));
    document["sessions"].push_back(ToJson(session, count));
    table.AddRow({FormatTime(session.started_unix_ns), FormatTime(session.ended_unix_ns), FormatCount(count),
                  session.tilth_version, session.id, session.model});
  }
  if (options.json) return Dump(document);
  std::string text = StrCat(log.path(), ", ", FormatBytes(bytes), "\nrecords    ", FormatCount(records), " (",
                            DescribeStatuses(by_status), ")\nworkloads  ", workloads.size(), "\ntargets    ",
                            targets.size(), "\ndevices    ", devices.size(), "\nsessions   ", sessions.size(), "\n");
  if (!table.empty()) StrAppend(&text, "\n", table.Render(TerminalWidth()));
  return text;
}

StatusOr<std::string> ViewBest(const TuningLog& log, const LogViewOptions& options) {
  TILTH_ASSIGN_OR_RETURN(const auto workloads, MatchingWorkloads(log, options.workload));
  TILTH_ASSIGN_OR_RETURN(const auto targets, log.Targets());
  Json document = {{"best", Json::array()}};
  Table table({{"workload"},
               {"kernel", Column::kFlexible},
               {"target"},
               {"median", Column::kNumber},
               {"GFLOP/s", Column::kNumber},
               {"spread", Column::kNumber},
               {"records", Column::kNumber}});
  for (const LoggedWorkload& workload : workloads) {
    const double flops = FlopsOf(workload);
    for (const LoggedTarget& target : targets) {
      TILTH_ASSIGN_OR_RETURN(const auto best, log.BestRecords(workload.hash, target.hash, options.limit));
      TILTH_ASSIGN_OR_RETURN(const int64_t count,
                             log.Count({.workload_hash = workload.hash, .target_hash = target.hash}));
      for (const TuningRecord& record : best) {
        table.AddRow({workload.hash.substr(0, kShownHash), workload.name, target.hash.substr(0, kShownHash),
                      MedianText(record), FormatGflops(flops, record.median_ns), SpreadText(record),
                      FormatCount(count)});
        Json row = RecordJson(record);
        row["name"] = workload.name;
        row["flops"] = flops;
        row["records"] = count;
        document["best"].push_back(std::move(row));
      }
    }
  }
  if (options.json) return Dump(document);
  if (table.empty()) return std::string("No verified records yet; `tilth tune` makes them.\n");
  return table.Render(TerminalWidth());
}

StatusOr<std::string> ViewList(const TuningLog& log, const LogViewOptions& options) {
  TILTH_ASSIGN_OR_RETURN(const auto workloads, MatchingWorkloads(log, options.workload));
  std::map<std::string, std::string> names;
  for (const LoggedWorkload& workload : workloads) names[workload.hash] = workload.name;
  std::deque<TuningRecord> latest;
  int64_t matching = 0;
  TILTH_RETURN_IF_ERROR(
      log.ForEachRecord({.session_id = options.session, .status = options.status}, [&](const TuningRecord& record) {
        if (!names.contains(record.workload_hash)) return absl::OkStatus();
        ++matching;
        latest.push_back(record);
        if (latest.size() > static_cast<size_t>(options.limit)) latest.pop_front();
        return absl::OkStatus();
      }));
  if (options.json) {
    Json document = {{"matching", matching}, {"records", Json::array()}};
    for (const TuningRecord& record : latest) document["records"].push_back(RecordJson(record));
    return Dump(document);
  }
  Table table({{"time"},
               {"workload"},
               {"kernel", Column::kFlexible},
               {"status"},
               {"median", Column::kNumber},
               {"spread", Column::kNumber},
               {"found by"},
               {"detail", Column::kFlexible}});
  for (const TuningRecord& record : latest) {
    table.AddRow({FormatTime(record.time_unix_ns), record.workload_hash.substr(0, kShownHash),
                  names[record.workload_hash], record.status, MedianText(record), SpreadText(record), record.origin,
                  record.detail.substr(0, record.detail.find('\n'))});
  }
  if (table.empty()) return std::string("No record fits.\n");
  return StrCat(table.Render(TerminalWidth()), "the latest ", latest.size(), " of ", FormatCount(matching), "\n");
}

StatusOr<std::string> ViewExplain(const TuningLog& log, const LogViewOptions& options) {
  TILTH_ASSIGN_OR_RETURN(const auto workloads, MatchingWorkloads(log, options.workload));
  if (workloads.size() != 1) {
    std::string list;
    for (const LoggedWorkload& workload : workloads) {
      StrAppend(&list, "\n  ", workload.hash.substr(0, kShownHash), "  ", workload.name);
    }
    return absl::InvalidArgumentError(
        StrCat(workloads.size(), " workloads fit; choose one with --workload and the beginning of its hash:", list));
  }
  Explanation explanation = {.workload = workloads.front(), .flops = FlopsOf(workloads.front())};
  const std::string& hash = explanation.workload.hash;
  TILTH_ASSIGN_OR_RETURN(explanation.by_status, CountsByStatus(log, {.workload_hash = hash}));
  TILTH_ASSIGN_OR_RETURN(explanation.improvements, Improvements(log, hash));
  TILTH_ASSIGN_OR_RETURN(const auto targets, log.Targets());
  for (const LoggedTarget& target : targets) {
    TILTH_ASSIGN_OR_RETURN(auto best, log.BestRecords(hash, target.hash, 1));
    if (!best.empty()) explanation.best.push_back(std::move(best.front()));
  }
  return options.json ? Dump(ExplanationJson(explanation)) : ExplanationText(explanation);
}

}  // namespace tilth
