// The views of a tuning log that `tilth log stats|best|list|explain` print. Internal to cli.
#pragma once

#include <string>

#include "base/status.h"
#include "db/tuning_log.h"

namespace tilth {

struct LogViewOptions {
  bool json = false;
  std::string workload;  // a hash, its beginning, or a part of the name; empty: all
  std::string status;    // empty: all
  std::string session;   // empty: all
  int limit = 0;         // rows per group (best) or in all (list)
};

// Each returns the text to print, table or JSON document. NotFound: no workload fits; InvalidArgument: `explain` needs
// one workload and several fit.
StatusOr<std::string> ViewStats(const TuningLog& log, const LogViewOptions& options);
StatusOr<std::string> ViewBest(const TuningLog& log, const LogViewOptions& options);
StatusOr<std::string> ViewList(const TuningLog& log, const LogViewOptions& options);
StatusOr<std::string> ViewExplain(const TuningLog& log, const LogViewOptions& options);

}  // namespace tilth
