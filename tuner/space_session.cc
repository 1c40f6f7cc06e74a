#include "tuner/space_session.h"

#include <unistd.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_format.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/strings.h"
#include "base/unique_id.h"
#include "base/version.h"
#include "db/tuning_log.h"
#include "ir/target.h"
#include "tuner/parameter_scorer.h"
#include "tuner/policies.h"
#include "tuner/space_runner.h"
#include "tuner/summary.h"

namespace tilth {
namespace {

std::string HostName() {
  char name[256] = {};
  return gethostname(name, sizeof name - 1) == 0 && name[0] != '\0' ? name : "localhost";
}

int64_t NowUnixNs() { return SystemClock().WallMs() * 1'000'000; }

class SpaceSession {
 public:
  SpaceSession(const SpaceDocument& document, const SpaceTuneOptions& options, Progress* progress,
               const std::atomic<bool>* stop)
      : document_(document),
        space_(*document.space),
        options_(options),
        progress_(progress),
        stop_(stop),
        begun_ns_(SystemClock().NowNs()),
        scorer_(space_, CombineHash(options.seed, 1)),
        workload_hash_(ContentHash(document.text)) {
    summary_.name = space_.name();
    summary_.points = space_.points().size();
  }

  StatusOr<SpaceTuneSummary> Run() {
    TILTH_ASSIGN_OR_RETURN(policy_, MakeParameterPolicy(options_.policy));
    TILTH_RETURN_IF_ERROR(OpenLog(), options_.log_path);
    TILTH_RETURN_IF_ERROR(Resume(), options_.log_path);
    trials_before_ = summary_.trials;
    // A session that continues must not draw what the last one drew.
    rng_ = Rng(CombineHash(options_.seed, static_cast<uint64_t>(summary_.trials)));
    if (ReasonToStop().empty()) {
      TILTH_RETURN_IF_ERROR(BeginSession(), options_.log_path);
      TILTH_RETURN_IF_ERROR(Work());
      const std::string summary =
          nlohmann::json({{"wall_s", Elapsed()}, {"candidates_scored", policy_->candidates_scored()}}).dump();
      TILTH_RETURN_IF_ERROR(log_->EndSession(session_id_, NowUnixNs(), summary), options_.log_path);
    }
    summary_.stopped_because = ReasonToStop();
    summary_.interrupted = Stopped();
    summary_.candidates_scored = policy_->candidates_scored();
    summary_.elapsed_s = Elapsed();
    return std::move(summary_);
  }

 private:
  double Elapsed() const { return 1e-9 * static_cast<double>(SystemClock().NowNs() - begun_ns_); }
  bool Stopped() const { return stop_ != nullptr && stop_->load(); }

  std::string ReasonToStop() const {
    if (Stopped()) return "interrupted";
    if (exhausted_ || (summary_.points > 0 && taken_.size() >= summary_.points)) return "the whole space is measured";
    if (summary_.trials >= options_.trials) return "the trials are used up";
    if (options_.time_budget_s > 0 && Elapsed() >= options_.time_budget_s) return "the time is over";
    return "";
  }

  Status OpenLog() {
    TILTH_ASSIGN_OR_RETURN(log_, TuningLog::Open(options_.log_path));
    TILTH_ASSIGN_OR_RETURN(const Target target, ParseTarget("native"));
    target_ = {TargetHash(target), ToText(target)};
    device_ = {StrCat("this machine: ", HostName()), "local", "{}"};
    return absl::OkStatus();
  }

  Status BeginSession() {
    TILTH_RETURN_IF_ERROR(log_->PutWorkload({workload_hash_, document_.text, space_.name()}));
    TILTH_RETURN_IF_ERROR(log_->PutTarget(target_));
    TILTH_RETURN_IF_ERROR(log_->PutDevice(device_));
    LoggedSession session;
    session.id = session_id_ = UniqueId();
    session.model = options_.path;
    session.model_hash = workload_hash_;
    session.seed = options_.seed;
    session.tilth_version = kVersion;
    session.started_unix_ns = NowUnixNs();
    session.arguments =
        nlohmann::json(
            {{"trials", options_.trials}, {"time_budget_s", options_.time_budget_s}, {"policy", options_.policy}})
            .dump();
    return log_->BeginSession(session);
  }

  Status Resume() {
    return log_->ForEachRecord({.workload_hash = workload_hash_}, [this](const TuningRecord& record) -> Status {
      const StatusOr<Candidate> candidate = space_.FromJsonValues(record.decisions);
      if (candidate.ok()) Learn(*candidate, record);
      return absl::OkStatus();
    });
  }

  void Learn(const Candidate& candidate, const TuningRecord& record) {
    taken_.Insert(space_, candidate);
    measured_.push_back({candidate, record.median_ns});
    ++summary_.trials;
    if (!record.ok()) {
      ++summary_.failures[record.status];
      return;
    }
    if (summary_.first_ns == 0) summary_.first_ns = record.median_ns;
    if (summary_.best_ns == 0 || record.median_ns < summary_.best_ns) {
      summary_.best_ns = record.median_ns;
      summary_.best = space_.ToJson(candidate);
    }
  }

  Status Work() {
    TILTH_ASSIGN_OR_RETURN(SpaceRunner runner, SpaceRunner::Create(document_));
    while (ReasonToStop().empty()) {
      scorer_.Update(measured_);
      const SearchRequest request = {
          .space = &space_, .scorer = &scorer_, .measured = measured_, .taken = &taken_, .count = 1};
      TILTH_ASSIGN_OR_RETURN(const std::vector<Proposal> proposals, policy_->Propose(request, rng_));
      exhausted_ = proposals.empty();
      if (exhausted_) break;
      TILTH_ASSIGN_OR_RETURN(const SpaceResult result, runner.Measure(proposals[0].candidate));
      // Ctrl-C reaches the child as well: what it then said is nothing to learn from.
      if (Stopped() && result.error != MeasureErrorKind::kNone) break;
      const TuningRecord record = ToRecord(proposals[0], result);
      TILTH_RETURN_IF_ERROR(log_->Append(record), options_.log_path);
      Learn(proposals[0].candidate, record);
      Show();
    }
    return absl::OkStatus();
  }

  TuningRecord ToRecord(const Proposal& proposal, const SpaceResult& result) const {
    TuningRecord record;
    record.trial_id = UniqueId();
    record.session_id = session_id_;
    record.workload_hash = workload_hash_;
    record.target_hash = target_.hash;
    record.device_fingerprint = device_.fingerprint;
    record.decisions = space_.ToJson(proposal.candidate);
    record.origin = proposal.origin;
    if (result.error != MeasureErrorKind::kNone) record.status = std::string(ToString(result.error));
    record.detail = result.detail;
    record.median_ns = result.median_ns;
    record.spread = result.spread;
    record.samples_ns = result.samples_ns;
    record.time_unix_ns = NowUnixNs();
    record.build_s = result.build_s;
    record.measure_s = result.measure_s;
    return record;
  }

  void Show() {
    if (progress_ == nullptr || !progress_->Due()) return;
    ProgressSnapshot snapshot;
    snapshot.phase = "tuning";
    snapshot.tasks = 1;
    snapshot.trials = summary_.trials;
    snapshot.trials_wanted = options_.trials;
    snapshot.trials_before = trials_before_;
    snapshot.default_ns = summary_.first_ns;
    snapshot.best_ns = summary_.best_ns;
    snapshot.failures = summary_.failures;
    snapshot.elapsed_s = Elapsed();
    snapshot.time_budget_s = options_.time_budget_s;
    progress_->Update(snapshot);
  }

  const SpaceDocument& document_;
  const ParameterSpace& space_;
  const SpaceTuneOptions& options_;
  Progress* const progress_;
  const std::atomic<bool>* const stop_;
  const int64_t begun_ns_;
  ParameterScorer scorer_;
  const std::string workload_hash_;
  std::unique_ptr<SearchPolicy> policy_;
  std::unique_ptr<TuningLog> log_;
  LoggedTarget target_;
  LoggedDevice device_;
  std::string session_id_;
  std::vector<MeasuredCandidate> measured_;
  TakenCandidates taken_;
  int trials_before_ = 0;   // of earlier calls
  bool exhausted_ = false;  // the policy has nothing left to propose
  Rng rng_{0};
  SpaceTuneSummary summary_;
};

}  // namespace

StatusOr<SpaceTuneSummary> TuneSpace(const SpaceDocument& document, const SpaceTuneOptions& options, Progress* progress,
                                     const std::atomic<bool>* stop) {
  return SpaceSession(document, options, progress, stop).Run();
}

std::string ToTable(const SpaceTuneSummary& summary) {
  std::string text = summary.name;
  if (summary.points > 0) StrAppend(&text, ", ", summary.points, " points");
  StrAppend(&text, ": ", summary.trials, " trials");
  for (const auto& [kind, count] : summary.failures) StrAppend(&text, ", ", count, " failed (", kind, ")");
  StrAppend(&text, "; ", summary.stopped_because, "\n");
  if (summary.best.empty()) return text + "every point failed\n";
  StrAppend(&text, "first ", FormatTime(summary.first_ns), ", best ", FormatTime(summary.best_ns), ": ", summary.best,
            "\n");
  return text;
}

std::string ToJson(const SpaceTuneSummary& summary) {
  nlohmann::ordered_json json = {{"space", summary.name},
                                 {"points", nullptr},
                                 {"trials", summary.trials},
                                 {"failures", summary.failures},
                                 {"first_ns", summary.first_ns},
                                 {"best_ns", summary.best_ns},
                                 {"best", nullptr},
                                 {"candidates_scored", summary.candidates_scored},
                                 {"elapsed_s", summary.elapsed_s},
                                 {"stopped_because", summary.stopped_because}};
  if (summary.points > 0) json["points"] = summary.points;
  if (!summary.best.empty()) json["best"] = nlohmann::ordered_json::parse(summary.best);
  return json.dump(2) + "\n";
}

}  // namespace tilth
