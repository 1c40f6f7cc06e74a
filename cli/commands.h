// What the subcommands of `tilth` share. A subcommand is one file: arguments, wiring and an exit code; the work is done
// by the modules.
//
// AddXxxCommand declares the subcommand on `app` and stores its exit code from a callback that runs after parsing:
// 0 success, 1 the work failed, 2 bad usage. Both arguments outlive the parse. With --json a command prints one JSON
// document on stdout and nothing else there; people's text and errors go to stderr then.
#pragma once

#include <string_view>

#include "base/status.h"

namespace CLI {
class App;
}

namespace tilth {

inline constexpr int kExitOk = 0;
inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;

// Prints "tilth COMMAND: error: MESSAGE" on stderr and returns kExitFailure. The status must not be OK.
int ReportError(std::string_view command, const Status& status);

// The exit code of work that ended with `status`: 0, or what ReportError or, for kInvalidArgument, ReportUsage returns.
// For commands in which that code can only come from what the user has given.
int ReportStatus(std::string_view command, const Status& status);

// Prints the same line and where to find help, for arguments that parse but make no sense; returns kExitUsage.
int ReportUsage(std::string_view command, std::string_view message);

void AddBenchCommand(CLI::App& app, int* exit_code);
void AddBuildCommand(CLI::App& app, int* exit_code);
void AddCheckCommand(CLI::App& app, int* exit_code);
void AddExplainKernelCommand(CLI::App& app, int* exit_code);
void AddFarmCommand(CLI::App& app, int* exit_code);
void AddLogCommand(CLI::App& app, int* exit_code);
void AddModelCommand(CLI::App& app, int* exit_code);
void AddReplayCommand(CLI::App& app, int* exit_code);
void AddRunCommand(CLI::App& app, int* exit_code);
void AddTasksCommand(CLI::App& app, int* exit_code);
void AddTuneCommand(CLI::App& app, int* exit_code);
void AddZooCommand(CLI::App& app, int* exit_code);

}  // namespace tilth
