// Reads the best records of the log, newest space first; a record that no longer fits is passed over and counted.
#include "tuner/selection.h"

#include "absl/strings/str_join.h"
#include "db/tuning_log.h"
#include "ir/target.h"
#include "ir/workload.h"
#include "tuner/predicted_choice.h"

namespace tilth {
namespace {

// Beyond so many stale records a log is from another age, and looking further would not find much.
constexpr int kMostRecords = 64;

}  // namespace

StatusOr<Selection> SelectCandidate(const SearchSpace& space, const TuningLog* log, const CostModel* model) {
  Selection selection;
  if (log != nullptr) {
    TILTH_ASSIGN_OR_RETURN(const std::vector<TuningRecord> records,
                           log->BestRecords(StructuralHash(space.workload()), TargetHash(space.target()), kMostRecords),
                           "looking for records of ", space.workload().name);
    for (const TuningRecord& record : records) {
      StatusOr<Decisions> decisions = DecisionsFromJson(record.decisions);
      StatusOr<Candidate> candidate = decisions.ok() ? space.FromDecisions(*decisions) : decisions.status();
      if (!candidate.ok()) {
        ++selection.stale_records;
        continue;
      }
      selection.candidate = *candidate;
      selection.decisions = *std::move(decisions);
      selection.tuned = true;
      selection.median_ns = record.median_ns;
      return selection;
    }
  }
  selection.candidate = space.Default();
  if (model != nullptr) {
    TILTH_ASSIGN_OR_RETURN(const std::optional<PredictedChoice> choice, PredictChoice(space, *model),
                           "choosing a schedule of ", space.workload().name);
    if (choice) {
      selection.candidate = choice->candidate;
      selection.predicted_gain = choice->gain;
    }
  }
  selection.decisions = space.ToDecisions(selection.candidate);
  return selection;
}

StatusOr<std::vector<Selection>> SelectCandidates(const std::vector<const SearchSpace*>& spaces, const TuningLog* log,
                                                  bool strict, const CostModel* model) {
  std::vector<Selection> selections;
  std::vector<std::string> untuned;
  for (const SearchSpace* space : spaces) {
    TILTH_ASSIGN_OR_RETURN(Selection selection, SelectCandidate(*space, log, model));
    if (!selection.tuned) untuned.push_back(space->workload().name);
    selections.push_back(std::move(selection));
  }
  if (strict && !untuned.empty()) {
    return absl::FailedPreconditionError(
        StrCat(untuned.size(), " of ", spaces.size(), " kernels have no usable record in ",
               log == nullptr ? std::string("a log (none was given)") : log->path(), ": ", absl::StrJoin(untuned, ", "),
               "; tune the model for this target first, or build without --strict"));
  }
  return selections;
}

}  // namespace tilth
