// `tilth log`: looks into a tuning log and takes care of it.
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "cli/commands.h"
#include "cli/log_views.h"
#include "cli/table.h"
#include "db/tuning_log.h"
#include "nlohmann/json.hpp"

namespace tilth {
namespace {

using Json = nlohmann::ordered_json;
using Mode = TuningLog::Mode;
using View = StatusOr<std::string> (*)(const TuningLog&, const LogViewOptions&);

// A person waits: another writer is given less time to finish than a tuning session would give it.
constexpr int kBusyTimeoutMs = 2'000;

struct Arguments {
  std::string path;
  LogViewOptions view;
  std::string file;                 // export's output, import's input; "-": the standard streams
  std::vector<std::string> others;  // merge
  GcOptions gc;
};
using Action = std::function<StatusOr<int>(const Arguments&)>;

void PrintJson(const Json& document) { std::cout << document.dump(2) << "\n"; }

Action ViewAction(View view) {
  return [view](const Arguments& arguments) -> StatusOr<int> {
    TILTH_ASSIGN_OR_RETURN(const auto log, TuningLog::Open(arguments.path, {.mode = Mode::kReadOnly}));
    TILTH_ASSIGN_OR_RETURN(const std::string text, view(*log, arguments.view));
    std::cout << text;
    return kExitOk;
  };
}

StatusOr<int> Export(const Arguments& arguments) {
  TILTH_ASSIGN_OR_RETURN(const auto log, TuningLog::Open(arguments.path, {.mode = Mode::kReadOnly}));
  if (arguments.file == "-") {
    TILTH_RETURN_IF_ERROR(log->Export(std::cout));
    return kExitOk;
  }
  std::ofstream out(arguments.file, std::ios::trunc);
  if (!out) return absl::PermissionDeniedError(StrCat(arguments.file, ": cannot be written: check its directory"));
  TILTH_RETURN_IF_ERROR(log->Export(out), arguments.file);
  return kExitOk;
}

void PrintReport(const Arguments& arguments, const std::string& source, const MergeReport& report) {
  if (arguments.view.json) {
    PrintJson({{"new_records", report.new_records}, {"known_records", report.known_records}});
  } else {
    std::cout << source << ": " << FormatCount(report.new_records) << " new records, "
              << FormatCount(report.known_records) << " known already\n";
  }
}

StatusOr<int> Import(const Arguments& arguments) {
  std::ifstream file;
  if (arguments.file != "-") {
    file.open(arguments.file);
    if (!file) return absl::NotFoundError(StrCat(arguments.file, ": cannot be read: check the path"));
  }
  TILTH_ASSIGN_OR_RETURN(const auto log, TuningLog::Open(arguments.path, {.busy_timeout_ms = kBusyTimeoutMs}));
  TILTH_ASSIGN_OR_RETURN(const MergeReport report, log->Import(arguments.file == "-" ? std::cin : file),
                         arguments.file);
  PrintReport(arguments, arguments.file, report);
  return kExitOk;
}

StatusOr<int> Merge(const Arguments& arguments) {
  TILTH_ASSIGN_OR_RETURN(const auto log, TuningLog::Open(arguments.path, {.busy_timeout_ms = kBusyTimeoutMs}));
  MergeReport total;
  for (const std::string& path : arguments.others) {
    TILTH_ASSIGN_OR_RETURN(const auto other, TuningLog::Open(path, {.mode = Mode::kReadOnly}));
    TILTH_ASSIGN_OR_RETURN(const MergeReport report, log->Merge(*other));
    total.new_records += report.new_records;
    total.known_records += report.known_records;
    if (!arguments.view.json) PrintReport(arguments, path, report);
  }
  if (arguments.view.json) PrintReport(arguments, "", total);
  return kExitOk;
}

StatusOr<int> Verify(const Arguments& arguments) {
  TILTH_ASSIGN_OR_RETURN(const auto log, TuningLog::Open(arguments.path, {.mode = Mode::kReadOnly}));
  TILTH_ASSIGN_OR_RETURN(const auto problems, log->Verify());
  TILTH_ASSIGN_OR_RETURN(const int64_t records, log->Count({}));
  if (arguments.view.json) {
    PrintJson({{"sound", problems.empty()}, {"records", records}, {"problems", problems}});
  } else if (problems.empty()) {
    std::cout << arguments.path << ": sound, " << FormatCount(records) << " records\n";
  } else {
    for (const std::string& problem : problems) std::cout << problem << "\n";
    std::cout << arguments.path << ": " << problems.size()
              << " problems; import an export of sound rows into a new log, "
              << "or restore a copy\n";
  }
  return problems.empty() ? kExitOk : kExitFailure;
}

StatusOr<int> Gc(const Arguments& arguments) {
  TILTH_ASSIGN_OR_RETURN(
      const auto log, TuningLog::Open(arguments.path, {.mode = Mode::kReadWrite, .busy_timeout_ms = kBusyTimeoutMs}));
  TILTH_ASSIGN_OR_RETURN(const GcReport report, log->Gc(arguments.gc));
  if (arguments.view.json) {
    PrintJson({{"removed_rows", report.removed_rows},
               {"bytes_before", report.bytes_before},
               {"bytes_after", report.bytes_after}});
  } else {
    std::cout << arguments.path << ": removed " << FormatCount(report.removed_rows) << " rows, "
              << FormatBytes(report.bytes_before) << " -> " << FormatBytes(report.bytes_after) << "\n";
  }
  return kExitOk;
}

// One subcommand of `tilth log` with what all have: the log's path, --json, an example and the exit code.
CLI::App* AddAction(CLI::App* log, const std::string& name, const std::string& description, const std::string& example,
                    const std::shared_ptr<Arguments>& arguments, int* exit_code, Action action) {
  CLI::App* command = log->add_subcommand(name, description);
  command->footer("Example:\n  tilth log " + name + " " + example);
  command->add_option("LOG", arguments->path, "the tuning log")->required();
  if (name != "export") command->add_flag("--json", arguments->view.json, "print one JSON document");
  command->callback([name, arguments, exit_code, action = std::move(action)] {
    const StatusOr<int> result = action(*arguments);
    *exit_code = result.ok() ? *result : ReportError("log " + name, result.status());
  });
  return command;
}

void AddViews(CLI::App* log, const std::shared_ptr<Arguments>& arguments, int* exit_code) {
  LogViewOptions& view = arguments->view;
  const auto add_workload = [&view](CLI::App* command) {
    return command->add_option("--workload", view.workload, "the beginning of a hash, or a part of a kernel's name");
  };
  AddAction(log, "stats", "What the log holds: records by status, sessions", "tuning.db", arguments, exit_code,
            ViewAction(ViewStats));

  CLI::App* best = AddAction(log, "best", "The fastest verified record of each kernel and target",
                             "tuning.db --workload conv -k 3", arguments, exit_code, ViewAction(ViewBest));
  add_workload(best);
  best->add_option_function<int>(
          "-k", [&view](int k) { view.limit = k; }, "how many of each (default 1)")
      ->check(CLI::PositiveNumber);
  best->preparse_callback([&view](size_t) { view.limit = 1; });

  CLI::App* list = AddAction(log, "list", "The latest records", "tuning.db --status 'run crash' --limit 20", arguments,
                             exit_code, ViewAction(ViewList));
  add_workload(list);
  list->add_option("--status", view.status, "\"ok\", or a kind of failure such as \"run crash\"");
  list->add_option("--session", view.session, "records of one session");
  list->add_option_function<int>(
          "--limit", [&view](int limit) { view.limit = limit; }, "how many (default 40)")
      ->check(CLI::PositiveNumber);
  list->preparse_callback([&view](size_t) { view.limit = 40; });

  CLI::App* explain =
      AddAction(log, "explain", "Everything about one kernel: its best decisions and how they were found",
                "tuning.db --workload 3f2a91c0", arguments, exit_code, ViewAction(ViewExplain));
  add_workload(explain);
}

void AddExchange(CLI::App* log, const std::shared_ptr<Arguments>& arguments, int* exit_code) {
  arguments->file = "-";
  CLI::App* exporter = AddAction(log, "export", "Writes all rows as JSON lines", "tuning.db -o tuning.jsonl", arguments,
                                 exit_code, Export);
  exporter->add_option("-o,--output", arguments->file, "the file to write (default: standard output)");

  CLI::App* importer = AddAction(log, "import", "Takes the rows of an export; known ones change nothing",
                                 "tuning.db tuning.jsonl", arguments, exit_code, Import);
  importer->add_option("FILE", arguments->file, "the export (default: standard input)");

  CLI::App* merge = AddAction(log, "merge", "Takes the rows of other logs; known ones change nothing",
                              "tuning.db from-lab.db", arguments, exit_code, Merge);
  merge->add_option("OTHER", arguments->others, "the logs to take from")->required();
}

}  // namespace

void AddLogCommand(CLI::App& app, int* exit_code) {
  CLI::App* log = app.add_subcommand("log", "Looks into a tuning log and takes care of it");
  log->require_subcommand(1);
  log->footer("Example:\n  tilth log best tuning.db");
  const auto arguments = std::make_shared<Arguments>();
  AddViews(log, arguments, exit_code);
  AddExchange(log, arguments, exit_code);
  AddAction(log, "verify", "Checks the file and every row; exits 1 if something is wrong", "tuning.db", arguments,
            exit_code, Verify);
  CLI::App* gc = AddAction(log, "gc", "Drops rows that nothing refers to, and compacts the file",
                           "tuning.db --keep-best 10", arguments, exit_code, Gc);
  gc->add_option("--keep-best", arguments->gc.keep_best,
                 "also drop failures and all but the N best records of each kernel (they no longer train a model, nor "
                 "count when a session resumes)")
      ->check(CLI::PositiveNumber);
}

}  // namespace tilth
