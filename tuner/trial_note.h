// What a trial carries through the farm for whoever collects its result: enough to record it. The process that
// submitted it may have been killed meanwhile.
#pragma once

#include <string>

#include "base/status.h"

namespace tilth {

struct TrialNote {
  std::string workload_hash, target_hash;
  std::string decisions;  // JSON, as records have them
  std::string origin;
  std::string artifact_hash;
  double build_s = 0;
};

std::string ToText(const TrialNote& note);
// kInvalidArgument: it is not one of ours.
StatusOr<TrialNote> TrialNoteFromText(const std::string& text);

}  // namespace tilth
