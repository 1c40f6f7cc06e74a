// Translation between outcomes and records.
#include "tuner/trial_log.h"

#include <algorithm>
#include <random>

#include "base/clock.h"
#include "base/hash.h"
#include "base/version.h"
#include "compiler/codegen/codegen.h"
#include "cost_model/features.h"
#include "nlohmann/json.hpp"
#include "tuner/trial_record.h"

namespace tilth {
namespace {

// Only as unique as it must be: 128 bits of the machine's entropy.
std::string RandomId() {
  std::random_device entropy;
  std::string bytes;
  for (int i = 0; i < 8; ++i) StrAppend(&bytes, entropy(), ",");
  return ContentHash(bytes);
}

int64_t NowUnixNs() { return SystemClock().WallMs() * 1'000'000; }

}  // namespace

TrialLog::TrialLog(std::unique_ptr<TuningLog> log, const Target& target, const SessionInfo& info)
    : log_(std::move(log)), target_(target), target_hash_(TargetHash(target)), info_(info), session_id_(RandomId()) {}

StatusOr<std::unique_ptr<TrialLog>> TrialLog::Open(const std::string& path, const Target& target,
                                                   const SessionInfo& info) {
  TILTH_ASSIGN_OR_RETURN(std::unique_ptr<TuningLog> log, TuningLog::Open(path));
  std::unique_ptr<TrialLog> result(new TrialLog(std::move(log), target, info));
  TILTH_RETURN_IF_ERROR(result->ReadSessions(), path);
  return result;
}

Status TrialLog::ReadSessions() {
  TILTH_ASSIGN_OR_RETURN(const std::vector<LoggedSession> sessions, log_->Sessions());
  for (const LoggedSession& session : sessions) {
    if (session.model_hash != info_.model_hash) continue;
    own_sessions_.push_back(session.id);
    const auto arguments = nlohmann::json::parse(session.arguments, nullptr, /*allow_exceptions=*/false);
    if (!arguments.is_object() || arguments.value("target_hash", std::string()) != target_hash_) continue;
    AddSummary(session.summary);
    if (session.ended_unix_ns == 0) unfinished_sessions_.push_back(session.id);
  }
  std::sort(own_sessions_.begin(), own_sessions_.end());
  TILTH_ASSIGN_OR_RETURN(const std::vector<LoggedDevice> devices, log_->Devices());
  for (const LoggedDevice& device : devices) {
    device_peaks_[device.fingerprint] = NumberIn(device.attributes, "peak_gflops");
  }
  return absl::OkStatus();
}

Status TrialLog::Load(const std::vector<TuningTask>& tasks, const std::function<void(const LoadedRecord&)>& visit) {
  for (size_t i = 0; i < tasks.size(); ++i) {
    const SearchSpace& space = tasks[i].space();
    RecordFilter filter;
    filter.workload_hash = tasks[i].workload_hash();
    filter.target_hash = target_hash_;
    TILTH_RETURN_IF_ERROR(log_->ForEachRecord(filter, [&](const TuningRecord& record) -> Status {
      StatusOr<Decisions> decisions = DecisionsFromJson(record.decisions);
      StatusOr<Candidate> candidate = decisions.ok() ? space.FromDecisions(*decisions) : decisions.status();
      if (!candidate.ok()) {
        ++totals_.stale_records;
        return absl::OkStatus();
      }
      LoadedRecord loaded;
      loaded.task = static_cast<int>(i);
      loaded.candidate = *candidate;
      loaded.error = ErrorOf(record);
      loaded.own = std::binary_search(own_sessions_.begin(), own_sessions_.end(), record.session_id);
      loaded.record = &record;
      if (loaded.own) {
        totals_.build_s += record.build_s;
        totals_.measure_s += record.measure_s;
        if (record.origin == kOriginDuplicate) ++totals_.duplicates;
      }
      if (record.ok()) peak_gflops_ = device_peaks_[record.device_fingerprint];
      visit(loaded);
      return absl::OkStatus();
    }));
  }
  return absl::OkStatus();
}

Status TrialLog::PutDevice(const Device& device) {
  device_peaks_[device.fingerprint] = device.peak_gflops;
  return log_->PutDevice(ToLogged(device));
}

Status TrialLog::PutTasks(const std::vector<TuningTask>& tasks) {
  for (const TuningTask& task : tasks) {
    TILTH_RETURN_IF_ERROR(log_->PutWorkload(
        {.hash = task.workload_hash(), .text = ToText(task.space().workload()), .name = task.name()}));
  }
  return log_->PutTarget({.hash = target_hash_, .text = ToText(target_)});
}

Status TrialLog::BeginSession(const std::vector<TuningTask>& tasks, const Device& device, int num_devices) {
  TILTH_RETURN_IF_ERROR(PutTasks(tasks));
  TILTH_RETURN_IF_ERROR(PutDevice(device));
  device_fingerprint_ = device.fingerprint;
  peak_gflops_ = device.peak_gflops;
  auto arguments = nlohmann::json::parse(info_.arguments_json);
  arguments["target_hash"] = target_hash_;
  arguments["devices"] = num_devices;
  LoggedSession session;
  session.id = session_id_;
  session.model = info_.model;
  session.model_hash = info_.model_hash;
  session.arguments = arguments.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  session.seed = info_.seed;
  session.tilth_version = kVersion;
  session.started_unix_ns = NowUnixNs();
  return log_->BeginSession(session);
}

Status TrialLog::BeginReplay(const std::vector<TuningTask>& tasks, const LoggedSession& session,
                             const std::vector<LoggedDevice>& devices) {
  TILTH_RETURN_IF_ERROR(PutTasks(tasks));
  for (const LoggedDevice& device : devices) {
    TILTH_RETURN_IF_ERROR(log_->PutDevice(device));
    device_peaks_[device.fingerprint] = NumberIn(device.attributes, "peak_gflops");
  }
  session_id_ = session.id;
  replayed_ = session;
  LoggedSession begun = session;
  begun.seed = info_.seed;
  begun.ended_unix_ns = 0;
  begun.summary = LoggedSession().summary;
  return log_->BeginSession(begun);
}

StatusOr<bool> TrialLog::Has(const std::string& trial_id) const {
  RecordFilter filter;
  filter.trial_id = trial_id;
  TILTH_ASSIGN_OR_RETURN(const int64_t count, log_->Count(filter));
  return count > 0;
}

Status TrialLog::Append(const std::vector<TuningTask>& tasks, const std::vector<MeasureOutcome>& outcomes) {
  std::vector<TuningRecord> records;
  for (const MeasureOutcome& outcome : outcomes) {
    TuningRecord& record = records.emplace_back(
        outcome.recorded ? *outcome.recorded : RecordOf(tasks[static_cast<size_t>(outcome.job.task)], outcome));
    totals_.build_s += record.build_s;
    totals_.measure_s += record.measure_s;
    if (outcome.duplicate) ++totals_.duplicates;
  }
  return log_->Append(records).status();
}

TuningRecord TrialLog::RecordOf(const TuningTask& task, const MeasureOutcome& outcome) const {
  TuningRecord record;
  record.trial_id = outcome.job.trial_id;
  record.session_id = session_id_;
  record.workload_hash = task.workload_hash();
  record.target_hash = target_hash_;
  // A failed build never saw a device; the session's own stands in.
  record.device_fingerprint =
      outcome.result.device_fingerprint.empty() ? device_fingerprint_ : outcome.result.device_fingerprint;
  record.decisions = ToJson(task.space().ToDecisions(outcome.job.candidate));
  record.space_version = kSpaceVersion;
  record.feature_version = kFeatureVersion;
  record.codegen_version = kCodegenVersion;
  record.origin = outcome.duplicate ? kOriginDuplicate : outcome.job.origin;
  record.detail = outcome.detail;
  if (outcome.error == MeasureErrorKind::kNone) {
    record.median_ns = outcome.result.median_ns;
    record.spread = outcome.result.spread;
    record.samples_ns = outcome.result.samples_ns;
  } else {
    record.status = std::string(ToString(outcome.error));
  }
  record.time_unix_ns = NowUnixNs();
  record.build_s = outcome.build_s;
  record.measure_s = outcome.duplicate ? 0 : 1e-3 * static_cast<double>(outcome.result.run_ms);
  record.artifact_hash = outcome.artifact_hash;
  return record;
}

Status TrialLog::EndSession(const TimeSplit& split) {
  if (replayed_) {
    AddSummary(replayed_->summary);
    if (replayed_->ended_unix_ns == 0) return absl::OkStatus();
    return log_->EndSession(session_id_, replayed_->ended_unix_ns, replayed_->summary);
  }
  const std::string summary = nlohmann::json({{"wall_s", split.wall_s},
                                              {"candidates_scored", split.candidates_scored},
                                              {"search_s", split.search_s},
                                              {"learn_s", split.learn_s},
                                              {"device_busy_s", split.device.busy_s},
                                              {"device_span_s", split.device.span_s}})
                                  .dump();
  AddSummary(summary);
  return log_->EndSession(session_id_, NowUnixNs(), summary);
}

void TrialLog::AddSummary(const std::string& summary) {
  TimeSplit& split = totals_.split;
  split.wall_s += NumberIn(summary, "wall_s");
  split.candidates_scored += static_cast<int64_t>(NumberIn(summary, "candidates_scored"));
  split.search_s += NumberIn(summary, "search_s");
  split.learn_s += NumberIn(summary, "learn_s");
  split.device.busy_s += NumberIn(summary, "device_busy_s");
  split.device.span_s += NumberIn(summary, "device_span_s");
}

std::string TrialLog::NextTrialId() { return StrCat(session_id_, "-", next_trial_++); }

}  // namespace tilth
