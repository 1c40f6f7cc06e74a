// `tilth tune SPACE.json`: the part of the subcommand that tunes a kernel author's own space.
#pragma once

#include <atomic>

#include "tuner/space_session.h"

namespace tilth {

// Prints the summary and returns the exit code.
StatusOr<int> TuneSpaceFile(const SpaceTuneOptions& options, bool json, const std::atomic<bool>* stop);

}  // namespace tilth
