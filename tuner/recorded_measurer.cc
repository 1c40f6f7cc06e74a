// Rows are given in their order as soon as they have been asked for, whatever was asked for first.
#include "tuner/recorded_measurer.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "ir/workload.h"
#include "nlohmann/json.hpp"
#include "tuner/trial_record.h"

namespace tilth {
namespace {

class RecordedMeasurer : public Measurer {
 public:
  RecordedMeasurer(const RecordedSession& session, const std::vector<TuningTask>& tasks) : session_(session) {
    device_ = FromLogged(session.devices.front());
    std::map<std::string, int> task_of;
    for (size_t i = 0; i < tasks.size(); ++i) task_of.emplace(tasks[i].workload_hash(), static_cast<int>(i));
    for (size_t row = 0; row < session.records.size(); ++row) {
      const TuningRecord& record = session.records[row];
      const auto task = task_of.find(record.workload_hash);
      if (task == task_of.end()) continue;
      const SearchSpace& space = tasks[static_cast<size_t>(task->second)].space();
      const StatusOr<Decisions> decisions = DecisionsFromJson(record.decisions);
      if (!decisions.ok()) continue;
      const StatusOr<Candidate> candidate = space.FromDecisions(*decisions);
      if (!candidate.ok()) continue;
      rows_[KeyOf(task->second, space, *candidate, record.origin)].insert(row);
      ++left_;
    }
  }

  const Device& device() const override { return device_; }

  int num_devices() const override { return session_.num_devices; }

  StatusOr<std::vector<Device>> Devices() override {
    std::vector<Device> devices;
    for (const LoggedDevice& device : session_.devices) devices.push_back(FromLogged(device));
    return devices;
  }

  void Enqueue(MeasureJob job) override {
    const auto found = rows_.find(KeyOf(job.task, *job.space, job.candidate, job.origin));
    if (found == rows_.end() || found->second.empty()) {
      unknown_.push_back(std::move(job));
      return;
    }
    const size_t row = *found->second.begin();
    found->second.erase(found->second.begin());
    wanted_.emplace(row, std::move(job));
  }

  // Rows of identical machine code say so themselves.
  void AddKnown(int, const std::string&, const std::string&, const MeasureResult&) override {}

  StatusOr<std::vector<MeasureOutcome>> Wait(int64_t) override {
    std::vector<MeasureOutcome> outcomes;
    for (MeasureJob& job : std::exchange(unknown_, {})) {
      MeasureOutcome& outcome = outcomes.emplace_back();
      outcome.job = std::move(job);
      outcome.unrecorded = true;
      outcome.result.status = absl::NotFoundError("the recorded session did not measure this candidate");
    }
    if (!outcomes.empty() || wanted_.empty()) return outcomes;
    auto first = wanted_.extract(wanted_.begin());
    --left_;
    outcomes.push_back(Answer(std::move(first.mapped()), session_.records[first.key()]));
    return outcomes;
  }

  size_t UnderWay() const override { return left_ == 0 ? 0 : wanted_.size() + unknown_.size(); }

  void Cancel() override {
    wanted_.clear();
    unknown_.clear();
  }

  DeviceUse Use() const override { return {}; }

 private:
  using Key = std::tuple<int, uint64_t, bool>;  // task, schedule, whether of the comparison at the end

  static Key KeyOf(int task, const SearchSpace& space, const Candidate& candidate, const std::string& origin) {
    return {task, space.KeyOf(candidate), origin == kOriginFinal};
  }

  static MeasureOutcome Answer(MeasureJob job, const TuningRecord& record) {
    MeasureOutcome outcome;
    outcome.job = std::move(job);
    outcome.error = ErrorOf(record);
    outcome.detail = record.detail;
    outcome.artifact_hash = record.artifact_hash;
    outcome.build_s = record.build_s;
    outcome.duplicate = record.origin == kOriginDuplicate;
    outcome.result = ResultOf(record);
    outcome.recorded = std::make_shared<const TuningRecord>(record);
    return outcome;
  }

  const RecordedSession& session_;
  Device device_;
  std::map<Key, std::set<size_t>> rows_;  // that nobody has asked for yet
  std::map<size_t, MeasureJob> wanted_;   // by row
  std::vector<MeasureJob> unknown_;
  size_t left_ = 0;  // rows that have not been given
};

bool IsOf(const LoggedSession& session, const std::string& model_hash, const std::string& target_hash) {
  if (session.model_hash != model_hash) return false;
  const auto arguments = nlohmann::json::parse(session.arguments, nullptr, /*allow_exceptions=*/false);
  return arguments.is_object() && arguments.value("target_hash", std::string()) == target_hash;
}

}  // namespace

StatusOr<RecordedSession> ReadRecordedSession(const std::string& path, const std::string& model_hash,
                                              const Target& target) {
  TILTH_ASSIGN_OR_RETURN(const std::unique_ptr<TuningLog> log,
                         TuningLog::Open(path, {.mode = TuningLog::Mode::kReadOnly}));
  TILTH_ASSIGN_OR_RETURN(const std::vector<LoggedSession> sessions, log->Sessions());
  RecordedSession recorded;
  for (const LoggedSession& session : sessions) {
    if (!IsOf(session, model_hash, TargetHash(target))) continue;
    RecordFilter filter;
    filter.session_id = session.id;
    TILTH_RETURN_IF_ERROR(log->ForEachRecord(filter, [&recorded](const TuningRecord& record) {
      recorded.records.push_back(record);
      return absl::OkStatus();
    }));
    if (recorded.records.empty()) continue;
    recorded.session = session;
    recorded.trials = static_cast<int>(NumberIn(session.arguments, "trials"));
    recorded.num_devices = std::max(1, static_cast<int>(NumberIn(session.arguments, "devices")));
    recorded.cost_model = nlohmann::json::parse(session.arguments).value("cost_model", std::string());
    break;
  }
  if (recorded.records.empty()) {
    return absl::NotFoundError(
        StrCat(path, " has no session of this model for target ", target.name, " that could be replayed"));
  }
  TILTH_ASSIGN_OR_RETURN(const std::vector<LoggedDevice> devices, log->Devices());
  for (const LoggedDevice& device : devices) {
    const auto has_measured = [&device](const TuningRecord& record) {
      return record.device_fingerprint == device.fingerprint;
    };
    if (std::any_of(recorded.records.begin(), recorded.records.end(), has_measured)) {
      recorded.devices.push_back(device);
    }
  }
  // The session's own device stood in for those that never saw a trial.
  const std::string& own = recorded.records.front().device_fingerprint;
  std::stable_partition(recorded.devices.begin(), recorded.devices.end(),
                        [&own](const LoggedDevice& device) { return device.fingerprint == own; });
  return recorded;
}

Status CheckCostModel(const RecordedSession& recorded, const std::string& hash) {
  if (recorded.cost_model.empty() || recorded.cost_model == hash) return absl::OkStatus();
  return absl::FailedPreconditionError(
      StrCat("the session began with ",
             recorded.cost_model == "none"
                 ? std::string("no cost model: give --model none")
                 : StrCat("the cost model ", recorded.cost_model, ", not with ", hash, ": give its file as --model"),
             " in order to replay it"));
}

std::unique_ptr<Measurer> MakeRecordedMeasurer(const RecordedSession& session, const std::vector<TuningTask>& tasks) {
  return std::make_unique<RecordedMeasurer>(session, tasks);
}

}  // namespace tilth
