#include "cli/tune_space.h"

#include <unistd.h>

#include <iostream>

#include "cli/commands.h"

namespace tilth {

StatusOr<int> TuneSpaceFile(const SpaceTuneOptions& options, bool json, const std::atomic<bool>* stop) {
  TILTH_ASSIGN_OR_RETURN(const SpaceDocument document, ReadSpaceDocument(options.path));
  SpaceTuneSummary summary;
  {
    Progress progress(stderr, isatty(STDERR_FILENO) != 0);
    TILTH_ASSIGN_OR_RETURN(summary, TuneSpace(document, options, &progress, stop));
  }
  (json ? std::cerr : std::cout) << ToTable(summary);
  if (json) std::cout << ToJson(summary);
  std::cout.flush();
  if (!summary.interrupted) return kExitOk;
  std::cerr << "interrupted; run the same command to continue\n";
  return kExitFailure;
}

}  // namespace tilth
