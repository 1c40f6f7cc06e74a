// The `tilth` program: declares the subcommands, parses the command line and returns the exit code of the one chosen.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "base/version.h"
#include "cli/commands.h"

namespace tilth {
namespace {

constexpr char kDescription[] =
    "Tilth tunes the tensor kernels of a machine-learning model for the machine they run on.";
constexpr char kFooter[] =
    "Example:\n  tilth --version\n'tilth COMMAND --help' describes a command and shows an example.";

int EditDistance(const std::string& a, const std::string& b) {
  std::vector<int> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = static_cast<int>(j);
  for (size_t i = 1; i <= a.size(); ++i) {
    int diagonal = row[0];
    row[0] = static_cast<int>(i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const int substitute = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
    }
  }
  return row[b.size()];
}

std::vector<std::string> CommandNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands(nullptr)) names.push_back(command->get_name());
  return names;
}

void ReportUnknownCommand(std::string_view words, const std::vector<std::string>& names, const std::string& given) {
  absl::FPrintF(stderr, "%s: error: there is no command '%s'; the commands are: %s.", words, given,
                absl::StrJoin(names, ", "));
  for (const std::string& name : names) {
    if (EditDistance(given, name) <= 2) absl::FPrintF(stderr, " Did you mean '%s'?", name);
  }
  absl::FPrintF(stderr, "\nTry '%s --help'.\n", words);
}

// Whether all words that stand where a command belongs are one; what is wrong has been said if not.
bool CommandsAreKnown(const CLI::App& app, const std::vector<std::string>& arguments) {
  const CLI::App* at = &app;
  std::string words = app.get_name();
  for (const std::string& word : arguments) {
    const std::vector<std::string> names = CommandNames(*at);
    if (names.empty() || word.starts_with("-")) break;
    if (std::find(names.begin(), names.end(), word) == names.end()) {
      ReportUnknownCommand(words, names, word);
      return false;
    }
    at = at->get_subcommand(word);
    StrAppend(&words, " ", word);
  }
  return true;
}

// The words of the innermost command that was parsed: "tilth log stats".
std::string ParsedCommand(const CLI::App& app) {
  std::string words = app.get_name();
  for (const CLI::App* at = &app; !at->get_subcommands().empty();) {
    at = at->get_subcommands().front();
    StrAppend(&words, " ", at->get_name());
  }
  return words;
}

int Main(int argc, char** argv) {
  // A file that reaches the limit of its size is then an error of the write, which can be reported.
  std::signal(SIGXFSZ, SIG_IGN);
  CLI::App app(kDescription, "tilth");
  app.set_version_flag("--version", StrCat("tilth ", kVersion));
  app.require_subcommand(1);
  app.footer(kFooter);
  int exit_code = kExitOk;
  AddBenchCommand(app, &exit_code);
  AddBuildCommand(app, &exit_code);
  AddCheckCommand(app, &exit_code);
  AddExplainKernelCommand(app, &exit_code);
  AddFarmCommand(app, &exit_code);
  AddLogCommand(app, &exit_code);
  AddModelCommand(app, &exit_code);
  AddReplayCommand(app, &exit_code);
  AddRunCommand(app, &exit_code);
  AddTasksCommand(app, &exit_code);
  AddTuneCommand(app, &exit_code);
  AddZooCommand(app, &exit_code);

  if (!CommandsAreKnown(app, {argv + 1, argv + argc})) return kExitUsage;
  // Debian's Abseil, which gRPC uses, looks for cycles of locks at every one otherwise: 5 % of a busy tracker.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    const std::string command = ParsedCommand(app);
    absl::FPrintF(stderr, "%s: error: %s\nTry '%s --help'.\n", command, error.what(), command);
    return kExitUsage;
  } catch (const std::exception& error) {
    absl::FPrintF(stderr, "%s: error: %s\n", ParsedCommand(app), error.what());
    return kExitFailure;
  }
  return exit_code;
}

}  // namespace
}  // namespace tilth

int main(int argc, char** argv) { return tilth::Main(argc, argv); }
