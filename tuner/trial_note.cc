// See the header.
#include "tuner/trial_note.h"

#include "nlohmann/json.hpp"

namespace tilth {

std::string ToText(const TrialNote& note) {
  return nlohmann::json({{"workload", note.workload_hash},
                         {"target", note.target_hash},
                         {"decisions", note.decisions},
                         {"origin", note.origin},
                         {"artifact", note.artifact_hash},
                         {"build_s", note.build_s}})
      .dump();
}

StatusOr<TrialNote> TrialNoteFromText(const std::string& text) {
  try {
    const auto document = nlohmann::json::parse(text);
    return TrialNote{.workload_hash = document.at("workload"),
                     .target_hash = document.at("target"),
                     .decisions = document.at("decisions"),
                     .origin = document.at("origin"),
                     .artifact_hash = document.at("artifact"),
                     .build_s = document.at("build_s")};
  } catch (const nlohmann::json::exception& error) {
    return absl::InvalidArgumentError(StrCat("a trial's note cannot be read: ", error.what()));
  }
}

}  // namespace tilth
