// One pass per workload of a log: its space is made once for each target that has records.
#include "tuner/training_data.h"

#include <map>
#include <memory>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_replace.h"
#include "cost_model/features.h"
#include "db/tuning_log.h"
#include "ir/target.h"
#include "ir/workload.h"
#include "search_space/space.h"
#include "tuner/search_policy.h"
#include "tuner/tuning_task.h"

namespace tilth {
namespace {

// A log has of a target what changes the code. The rest (cores, clock) is that of the preset that agrees in it, or of
// this machine.
StatusOr<Target> TargetOf(const LoggedTarget& logged) {
  for (const std::string& preset : TargetPresets()) {
    StatusOr<Target> target = ParseTarget(preset);
    if (target.ok() && TargetHash(*target) == logged.hash) return target;
  }
  std::string text = absl::StrReplaceAll(logged.text, {{"\n", ","}});
  while (!text.empty() && text.back() == ',') text.pop_back();
  return ParseTarget(text);
}

class Reader {
 public:
  Status Read(const std::string& path) {
    TILTH_ASSIGN_OR_RETURN(const std::unique_ptr<TuningLog> log,
                           TuningLog::Open(path, {.mode = TuningLog::Mode::kReadOnly}));
    TILTH_ASSIGN_OR_RETURN(const std::vector<LoggedTarget> targets, log->Targets());
    TILTH_ASSIGN_OR_RETURN(const std::vector<LoggedWorkload> workloads, log->Workloads());
    for (const LoggedTarget& target : targets) {
      for (const LoggedWorkload& workload : workloads) {
        TILTH_RETURN_IF_ERROR(ReadTask(*log, workload, target), path);
      }
    }
    return absl::OkStatus();
  }

  TrainingData Take() { return std::move(data_); }

 private:
  Status ReadTask(const TuningLog& log, const LoggedWorkload& workload, const LoggedTarget& target) {
    const RecordFilter filter = {.workload_hash = workload.hash, .target_hash = target.hash};
    const StatusOr<std::unique_ptr<SearchSpace>> space = SpaceOf(workload, target);
    if (!space.ok()) {
      TILTH_ASSIGN_OR_RETURN(const int64_t records, log.Count(filter));
      data_.stale_records += records;
      return absl::OkStatus();
    }
    return log.ForEachRecord(filter, [&](const TuningRecord& record) -> Status {
      if (record.origin == kOriginDuplicate) return absl::OkStatus();
      const StatusOr<Decisions> decisions = DecisionsFromJson(record.decisions);
      const StatusOr<Candidate> candidate = decisions.ok() ? (*space)->FromDecisions(*decisions) : decisions.status();
      if (candidate.ok()) {
        Add(**space, *candidate, workload, record);
      } else {
        ++data_.stale_records;
      }
      return absl::OkStatus();
    });
  }

  static StatusOr<std::unique_ptr<SearchSpace>> SpaceOf(const LoggedWorkload& logged, const LoggedTarget& target) {
    TILTH_ASSIGN_OR_RETURN(Target parsed, TargetOf(target));
    TILTH_ASSIGN_OR_RETURN(Workload workload, ParseWorkload(logged.text));
    return SearchSpace::Create(std::move(workload), std::move(parsed));
  }

  void Add(const SearchSpace& space, const Candidate& candidate, const LoggedWorkload& workload,
           const TuningRecord& record) {
    const auto [group, is_new_group] = groups_.try_emplace(
        std::tuple(record.workload_hash, record.target_hash, record.device_fingerprint), data_.groups.size());
    if (is_new_group) {
      data_.groups.push_back({record.workload_hash, workload.name, record.target_hash, record.device_fingerprint,
                              MachineClassOf(space.target())});
      rows_.emplace_back();
    }
    const auto [row, is_new] = rows_[group->second].try_emplace(candidate, static_cast<size_t>(data_.set.rows()));
    if (!is_new) {
      data_.set.median_ns[row->second] = record.median_ns;
      return;
    }
    std::vector<float> features(static_cast<size_t>(NumFeatures()));
    ExtractFeatures(space.Resolve(candidate), space.target(), features);
    data_.set.Append(features, record.median_ns, static_cast<int>(group->second));
  }

  TrainingData data_;
  std::map<std::tuple<std::string, std::string, std::string>, size_t> groups_;
  std::vector<absl::flat_hash_map<Candidate, size_t, CandidateHash>> rows_;  // of each group
};

}  // namespace

StatusOr<TrainingData> ReadTrainingData(std::span<const std::string> log_paths) {
  Reader reader;
  for (const std::string& path : log_paths) TILTH_RETURN_IF_ERROR(reader.Read(path));
  return reader.Take();
}

}  // namespace tilth
