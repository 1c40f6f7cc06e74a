// The loop: propose, build, measure, record, learn; then the best of each kernel compared side by side.
#include "tuner/session.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/hash.h"
#include "base/rng.h"
#include "cost_model/features.h"
#include "cost_model/pretrained_model.h"
#include "ir/workload.h"
#include "nlohmann/json.hpp"
#include "tuner/affinity.h"
#include "tuner/farm_measurer.h"
#include "tuner/feature_scorer.h"
#include "tuner/final_round.h"
#include "tuner/learner.h"
#include "tuner/measurer.h"
#include "tuner/model_tasks.h"
#include "tuner/policies.h"
#include "tuner/recorded_measurer.h"
#include "tuner/session_summary.h"
#include "tuner/task_scheduler.h"
#include "tuner/time_into.h"
#include "tuner/trial_log.h"
#include "tuner/trial_record.h"
#include "tuner/unfinished_sessions.h"

namespace tilth {
namespace {

// Trials under way for each device: enough for the time in which a batch is thought up and models train, and no more,
// because what waits was chosen by an older model.
constexpr double kThinkingS = 0.6;
constexpr int kFewestUnderWay = 4, kMostUnderWay = 24;
constexpr int64_t kWaitMs = 200;
constexpr int kDefaultTrials = 1000;
constexpr int kUnlimitedTrials = std::numeric_limits<int>::max();
constexpr int kFinalRounds = 2;
constexpr int kMostInfrastructureFailures = 16;

class Session {
 public:
  // `recorded`: to replay; may be null.
  Session(const Partition& partition, const TuneOptions& options, const RecordedSession* recorded, Progress* progress,
          const std::atomic<bool>* stop)
      : partition_(partition),
        options_(options),
        recorded_(recorded),
        progress_(progress),
        stop_(stop),
        begun_ns_(SystemClock().NowNs()),
        rng_(options.seed) {}

  StatusOr<TuneSummary> Run() {
    TILTH_RETURN_IF_ERROR(Prepare());
    if (!SearchIsOver() || !FinalTasks(tasks_).empty()) {
      TILTH_RETURN_IF_ERROR(Connect());
      const Status status = Work();
      const Status ended = log_->EndSession(Split());
      TILTH_RETURN_IF_ERROR(status);
      TILTH_RETURN_IF_ERROR(ended);
    }
    return Summarise();
  }

 private:
  double Elapsed() const { return 1e-9 * static_cast<double>(SystemClock().NowNs() - begun_ns_); }
  bool Stopped() const { return stop_ != nullptr && stop_->load(); }
  bool OutOfTime() const { return options_.time_budget_s > 0 && Elapsed() >= options_.time_budget_s; }
  // Trials that may still be started.
  int Budget() const { return options_.trials - trials_ - under_way_ - unrecorded_; }
  bool SearchIsOver() const { return options_.trials <= trials_ || scheduler_->Next().task < 0; }

  Status Prepare() {
    TILTH_ASSIGN_OR_RETURN(tasks_, MakeTasks(partition_, options_.target, options_.task_filter));
    SessionInfo info;
    info.model = options_.model_name;
    info.model_hash = options_.model_hash;
    info.seed = options_.seed;
    info.arguments_json = nlohmann::json({{"trials", options_.trials},
                                          {"time_budget_s", options_.time_budget_s},
                                          {"tasks", options_.task_filter},
                                          {"farm", options_.farm_address},
                                          {"device_class", options_.device_class},
                                          {"cost_model", HashOf(options_.cost_model)}})
                              .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    TILTH_ASSIGN_OR_RETURN(log_, TrialLog::Open(options_.log_path, options_.target, info));
    TILTH_ASSIGN_OR_RETURN(policy_, MakeKernelPolicy(options_.policy));
    TILTH_ASSIGN_OR_RETURN(learner_, Learner::Create({.pretrained = options_.cost_model}));
    std::vector<ScheduledTask> scheduled;
    for (const TuningTask& task : tasks_) {
      scheduled.push_back({.weight = static_cast<double>(task.weight()),
                           .work = task.flops() + CompulsoryBytes(task.space().workload()),
                           .single = task.space().Size() == 1,
                           .kind = task.space().sketches().front()->name()});
    }
    scheduler_ = std::make_unique<TaskScheduler>(std::move(scheduled));
    TILTH_RETURN_IF_ERROR(Resume());
    trials_before_ = trials_;
    build_s_before_ = log_->totals().build_s;
    // A session that continues must not draw what the last one drew.
    rng_ = Rng(CombineHash(options_.seed, static_cast<uint64_t>(trials_)));
    return absl::OkStatus();
  }

  Status Resume() {
    TILTH_RETURN_IF_ERROR(log_->Load(tasks_, [this](const LoadedRecord& loaded) {
      const TuningRecord& record = *loaded.record;
      const double cost_s = std::max(record.build_s, record.measure_s);
      Learn(loaded.task, loaded.candidate, record.origin, record.median_ns, loaded.error, cost_s, loaded.own);
      if (!record.artifact_hash.empty() && record.origin != kOriginDuplicate) {
        known_.push_back({loaded.task, record.artifact_hash, ResultOf(record)});
      }
    }));
    SetRooflines(log_->logged_peak_gflops());
    for (size_t i = 0; i < tasks_.size(); ++i) {
      if (tasks_[i].taken().size() >= tasks_[i].space().Size()) scheduler_->SetExhausted(static_cast<int>(i));
    }
    return absl::OkStatus();
  }

  void SetRooflines(double peak_gflops) {
    peak_gflops_ = peak_gflops;
    if (peak_gflops <= 0) return;
    for (size_t i = 0; i < tasks_.size(); ++i) {
      scheduler_->SetRoofline(static_cast<int>(i), tasks_[i].space().LeastFlops() / peak_gflops);
    }
  }

  // Everything a result changes, whether it is fresh or from the log.
  void Learn(int task_index, const Candidate& candidate, const std::string& origin, double median_ns,
             MeasureErrorKind error, double cost_s, bool own) {
    TuningTask& task = tasks_[static_cast<size_t>(task_index)];
    task.AddResult(candidate, origin, median_ns, error, own);
    if (origin == kOriginFinal) return;
    scheduler_->Finished(task_index, median_ns, cost_s);
    const TimeInto learning(&split_.learn_s);
    if (own && origin != kOriginDuplicate) ++trials_;
    std::vector<float> features(static_cast<size_t>(NumFeatures()));
    ExtractFeatures(task.space().Resolve(candidate), task.space().target(), features);
    learner_->Add(task_index, features, median_ns);
  }

  Status Connect() {
    if (recorded_ != nullptr) {
      measurer_ = MakeRecordedMeasurer(*recorded_, tasks_);
      TILTH_RETURN_IF_ERROR(log_->BeginReplay(tasks_, recorded_->session, recorded_->devices), options_.log_path);
    } else {
      FarmMeasurerOptions farm;
      farm.address = options_.farm_address;
      farm.device_class = options_.device_class;
      farm.device_tags = options_.device_tags;
      farm.priority = options_.priority;
      farm.session_name = StrCat("tune ", options_.model_name);
      farm.session_id = log_->session_id();
      farm.artifact_cache = options_.artifact_cache;
      farm.stop = stop_;
      TILTH_ASSIGN_OR_RETURN(measurer_, ConnectFarm(options_.target, farm));
      TILTH_RETURN_IF_ERROR(log_->BeginSession(tasks_, measurer_->device(), measurer_->num_devices()),
                            options_.log_path);
    }
    SetRooflines(measurer_->device().peak_gflops);
    TILTH_RETURN_IF_ERROR(TakeOverUnfinished());
    for (const KnownCode& known : known_)
      measurer_->AddKnown(known.task, known.artifact_hash, known.result.trial_id, known.result);
    return absl::OkStatus();
  }

  // What sessions of this model have left at the farm when they were killed.
  Status TakeOverUnfinished() {
    if (options_.farm_address.empty()) return absl::OkStatus();
    return CollectUnfinishedSessions(options_.farm_address, options_.device_class, log_->unfinished_sessions(),
                                     [this](const std::vector<MeasureResult>& results) { return TakeOver(results); });
  }

  // A result may come again, or after its candidate was measured in another trial: every trial has one record.
  Status TakeOver(const std::vector<MeasureResult>& results) {
    std::vector<MeasureOutcome> missing;
    for (MeasureOutcome& outcome : OutcomesOf(results, tasks_, TargetHash(options_.target))) {
      TILTH_ASSIGN_OR_RETURN(const bool recorded, log_->Has(outcome.job.trial_id));
      if (!recorded) missing.push_back(std::move(outcome));
    }
    TILTH_RETURN_IF_ERROR(Record(missing));
    for (const MeasureOutcome& outcome : missing) {
      TILTH_RETURN_IF_ERROR(Learn(outcome));
      known_.push_back({outcome.job.task, outcome.artifact_hash, outcome.result});
    }
    return absl::OkStatus();
  }

  Status Work() {
    // Builds keep the device busy; what is thought here is needed only when enough has been measured.
    GiveWay();
    TILTH_RETURN_IF_ERROR(Refresh());
    TILTH_RETURN_IF_ERROR(Fill());
    while (measurer_->UnderWay() > 0 && !Stopped() && !OutOfTime()) TILTH_RETURN_IF_ERROR(Collect(/*go_on=*/true));
    out_of_time_ = OutOfTime();
    // Out of time: what has been started is cheap to finish.
    while (measurer_->UnderWay() > 0 && !Stopped()) TILTH_RETURN_IF_ERROR(Collect(/*go_on=*/false));
    if (!Stopped()) {
      TILTH_RETURN_IF_ERROR(TakeOverUnfinished());
      TILTH_RETURN_IF_ERROR(RunFinals());
    }
    if (Stopped()) measurer_->Cancel();
    return absl::OkStatus();
  }

  Status Refresh() {
    const TimeInto learning(&split_.learn_s);
    return learner_->Refresh();
  }

  // By what the log keeps of trials, so that a replay decides the same.
  int Depth() const {
    const double trials = trial_s_ > 0 ? std::ceil(kThinkingS / trial_s_) : kMostUnderWay;
    return measurer_->num_devices() * static_cast<int>(std::clamp<double>(trials, kFewestUnderWay, kMostUnderWay));
  }

  // Proposes until enough is under way, or nothing is left to propose.
  Status Fill() {
    while (under_way_ < Depth() && Budget() > 0) {
      const Turn turn = scheduler_->Next();
      if (turn.task < 0) break;
      const int count = std::min({turn.count, Budget(), Depth()});
      if (turn.measure_default) {
        Start(turn.task, {tasks_[static_cast<size_t>(turn.task)].space().Default(), kOriginDefault});
        continue;
      }
      TuningTask& task = tasks_[static_cast<size_t>(turn.task)];
      const std::vector<MeasuredCandidate>& measured = task.measured();
      const std::shared_ptr<const CostModel> model = learner_->Choose();
      FeatureScorer scorer(task.space(), *model);
      const SearchRequest request = {.space = &task.space(),
                                     .scorer = &scorer,
                                     .measured = std::span(measured),
                                     .taken = &task.taken(),
                                     .count = count};
      TILTH_ASSIGN_OR_RETURN(const std::vector<Proposal> proposals, Propose(request));
      if (static_cast<int>(proposals.size()) < count) scheduler_->SetExhausted(turn.task);
      for (const Proposal& proposal : proposals) Start(turn.task, proposal);
    }
    return absl::OkStatus();
  }

  StatusOr<std::vector<Proposal>> Propose(const SearchRequest& request) {
    const TimeInto searching(&split_.search_s);
    return policy_->Propose(request, rng_);
  }

  void Start(int task_index, const Proposal& proposal) {
    TuningTask& task = tasks_[static_cast<size_t>(task_index)];
    task.Take(proposal.candidate);
    scheduler_->Started(task_index, 1);
    ++under_way_;
    MeasureJob job;
    job.task = task_index;
    job.space = task.shared_space();
    job.candidate = proposal.candidate;
    job.origin = proposal.origin;
    job.trial_id = log_->NextTrialId();
    job.workload_hash = task.workload_hash();
    job.seed = options_.seed;
    job.options.best_so_far_ns = static_cast<int64_t>(scheduler_->best_ns(task_index));
    measurer_->Enqueue(std::move(job));
  }

  // Records what has come in, then learns from it, and starts new trials if the search is to `go_on`. One result after
  // another: nothing but the order of results, which the log keeps, may decide what is proposed next.
  Status Collect(bool go_on) {
    TILTH_ASSIGN_OR_RETURN(const std::vector<MeasureOutcome> outcomes, measurer_->Wait(kWaitMs));
    std::vector<MeasureOutcome> answered;
    for (const MeasureOutcome& outcome : outcomes) {
      if (outcome.result.status.ok()) answered.push_back(outcome);
    }
    TILTH_RETURN_IF_ERROR(Record(answered));
    for (const MeasureOutcome& outcome : outcomes) {
      --under_way_;
      TILTH_RETURN_IF_ERROR(outcome.result.status.ok() ? Learn(outcome) : Drop(outcome));
      if (!go_on) continue;
      TILTH_RETURN_IF_ERROR(Refresh());
      TILTH_RETURN_IF_ERROR(Fill());
    }
    Show("tuning");
    return absl::OkStatus();
  }

  Status Learn(const MeasureOutcome& outcome) {
    infrastructure_failures_ = 0;
    const bool measured = outcome.error == MeasureErrorKind::kNone;
    // Builds and measurements overlap: the longer of the two holds the others up.
    const double run_s = outcome.duplicate ? 0 : 1e-3 * static_cast<double>(outcome.result.run_ms);
    if (run_s > 0) trial_s_ += (run_s - trial_s_) / (trial_s_ > 0 ? 8 : 1);
    Learn(outcome.job.task, outcome.job.candidate, outcome.duplicate ? kOriginDuplicate : outcome.job.origin,
          measured ? outcome.result.median_ns : 0, outcome.error, std::max(outcome.build_s, run_s), /*own=*/true);
    return absl::OkStatus();
  }

  // Nothing is known about the candidate.
  Status Drop(const MeasureOutcome& outcome) {
    scheduler_->Dropped(outcome.job.task);
    if (outcome.unrecorded) {
      ++unrecorded_;
      return absl::OkStatus();
    }
    tasks_[static_cast<size_t>(outcome.job.task)].Release(outcome.job.candidate);
    if (++infrastructure_failures_ <= kMostInfrastructureFailures) return absl::OkStatus();
    return Annotate(outcome.result.status, StrCat("the farm failed ", infrastructure_failures_, " trials in a row"));
  }

  Status Record(const std::vector<MeasureOutcome>& outcomes) {
    for (const MeasureOutcome& outcome : outcomes) {
      const std::string& fingerprint = outcome.result.device_fingerprint;
      if (fingerprint.empty() || log_->HasDevice(fingerprint)) continue;
      TILTH_ASSIGN_OR_RETURN(const std::vector<Device> devices, measurer_->Devices());
      for (const Device& device : devices) TILTH_RETURN_IF_ERROR(log_->PutDevice(device));
    }
    return Annotate(log_->Append(tasks_, outcomes), options_.log_path);
  }

  Status RunFinals() {
    // A recorded comparison has one row for all its rounds.
    FinalRound round(tasks_, FinalTasks(tasks_), options_.seed, recorded_ != nullptr ? 1 : kFinalRounds);
    for (MeasureJob& job : round.Jobs(measurer_->num_devices(), [this] { return log_->NextTrialId(); })) {
      measurer_->Enqueue(std::move(job));
    }
    while (measurer_->UnderWay() > 0 && !Stopped()) {
      TILTH_ASSIGN_OR_RETURN(const std::vector<MeasureOutcome> outcomes, measurer_->Wait(kWaitMs));
      const std::vector<MeasureOutcome> complete = round.Add(outcomes);
      TILTH_RETURN_IF_ERROR(Record(complete));
      for (const MeasureOutcome& outcome : complete) TILTH_RETURN_IF_ERROR(Learn(outcome));
      Show("comparing the best");
    }
    return absl::OkStatus();
  }

  // Of this session so far.
  TimeSplit Split() const {
    TimeSplit split = split_;
    split.wall_s = Elapsed();
    split.candidates_scored = policy_->candidates_scored();
    if (measurer_ != nullptr) split.device = measurer_->Use();
    return split;
  }

  std::string WhyStopped() const {
    if (Stopped()) return "interrupted";
    if (trials_ >= options_.trials) return "trials";
    if (out_of_time_) return "time budget";
    return recorded_ != nullptr && scheduler_->Next().task >= 0 ? "end of the recording" : "converged";
  }

  void Show(const char* phase) {
    if (progress_ == nullptr || !progress_->Due()) return;
    const TuneSummary summary = Summarise();
    ProgressSnapshot snapshot;
    snapshot.phase = phase;
    snapshot.tasks = static_cast<int>(tasks_.size());
    for (int i = 0; i < snapshot.tasks; ++i) snapshot.tasks_settled += scheduler_->Settled(i) ? 1 : 0;
    snapshot.trials = trials_;
    snapshot.trials_wanted = options_.trials == kUnlimitedTrials ? 0 : options_.trials;
    snapshot.trials_before = trials_before_;
    snapshot.default_ns = summary.default_ns;
    snapshot.best_ns = summary.tuned_ns;
    snapshot.failures = summary.failures;
    snapshot.elapsed_s = Elapsed();
    snapshot.time_budget_s = options_.time_budget_s;
    const TimeSplit split = Split();
    snapshot.busy_fraction = split.device.BusyFraction();
    snapshot.search_s = split.search_s;
    snapshot.learn_s = split.learn_s;
    snapshot.build_s = log_->totals().build_s - build_s_before_;
    progress_->Update(snapshot);
  }

  TuneSummary Summarise() const {
    TuneSummary summary = SummaryOf(tasks_, *scheduler_, log_->totals());
    summary.trials = trials_;
    summary.peak_gflops = peak_gflops_;
    summary.unrecorded = unrecorded_;
    summary.stopped_because = WhyStopped();
    summary.interrupted = Stopped();
    return summary;
  }

  struct KnownCode {
    int task;
    std::string artifact_hash;
    MeasureResult result;
  };

  const Partition& partition_;
  const TuneOptions& options_;
  const RecordedSession* const recorded_;
  Progress* const progress_;
  const std::atomic<bool>* const stop_;
  const int64_t begun_ns_;
  Rng rng_;

  std::vector<TuningTask> tasks_;
  std::unique_ptr<TrialLog> log_;
  std::unique_ptr<SearchPolicy> policy_;
  std::unique_ptr<Learner> learner_;
  std::unique_ptr<TaskScheduler> scheduler_;
  std::vector<KnownCode> known_;
  int trials_ = 0, trials_before_ = 0, under_way_ = 0;
  int unrecorded_ = 0;  // candidates that a replay knows nothing about
  int infrastructure_failures_ = 0;
  bool out_of_time_ = false;
  double peak_gflops_ = 0, build_s_before_ = 0;
  double trial_s_ = 0;  // a moving average; 0: none yet
  TimeSplit split_;

  std::unique_ptr<Measurer> measurer_;
};

}  // namespace

StatusOr<TuneSummary> Tune(const Partition& partition, const TuneOptions& options, Progress* progress,
                           const std::atomic<bool>* stop) {
  TuneOptions resolved = options;
  std::optional<RecordedSession> recorded;
  if (!options.replay_path.empty()) {
    TILTH_ASSIGN_OR_RETURN(recorded, ReadRecordedSession(options.replay_path, options.model_hash, options.target));
    if (resolved.trials == 0) resolved.trials = recorded->trials;
    if (resolved.seed == 0) resolved.seed = recorded->session.seed;
    TILTH_RETURN_IF_ERROR(CheckCostModel(*recorded, HashOf(options.cost_model)), options.replay_path);
  }
  if (resolved.trials == 0) resolved.trials = options.time_budget_s > 0 ? kUnlimitedTrials : kDefaultTrials;
  if (resolved.seed == 0) resolved.seed = 1;
  // A thread of its own, because it gives way.
  StatusOr<TuneSummary> summary = absl::InternalError("the session has not run");
  std::thread([&] {
    summary = Session(partition, resolved, recorded ? &*recorded : nullptr, progress, stop).Run();
  }).join();
  return summary;
}

}  // namespace tilth
