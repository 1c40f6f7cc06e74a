// How subcommands report errors to people.
#include "cli/commands.h"

#include <cstdio>

namespace tilth {

int ReportError(std::string_view command, const Status& status) {
  TILTH_CHECK(!status.ok());
  absl::FPrintF(stderr, "tilth %s: error: %s\n", command, status.message());
  return kExitFailure;
}

int ReportStatus(std::string_view command, const Status& status) {
  if (status.ok()) return kExitOk;
  return absl::IsInvalidArgument(status) ? ReportUsage(command, ToStd(status.message())) : ReportError(command, status);
}

int ReportUsage(std::string_view command, std::string_view message) {
  absl::FPrintF(stderr, "tilth %s: error: %s\nTry 'tilth %s --help'.\n", command, message, command);
  return kExitUsage;
}

}  // namespace tilth
