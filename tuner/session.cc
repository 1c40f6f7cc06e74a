// The loop: propose, build, measure, record, learn; then the best of each kernel compared side by side.
#include "tuner/session.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/hash.h"
#include "base/rng.h"
#include "cost_model/features.h"
#include "farm/client.h"
#include "farm/embedded.h"
#include "ir/workload.h"
#include "nlohmann/json.hpp"
#include "tuner/affinity.h"
#include "tuner/evolutionary_search.h"
#include "tuner/feature_scorer.h"
#include "tuner/final_round.h"
#include "tuner/learner.h"
#include "tuner/measure_pipeline.h"
#include "tuner/model_tasks.h"
#include "tuner/task_scheduler.h"
#include "tuner/trial_log.h"

namespace tilth {
namespace {

// Enough work for the device while a batch is thought up and the model trains.
constexpr size_t kTrialsUnderWay = 20;
constexpr int64_t kDeviceWaitMs = 30'000;
constexpr int64_t kWaitMs = 200;
constexpr int kMostInfrastructureFailures = 16;

// As devices spell it.
const char* ArchitectureOf(const Target& target) { return target.arch == Arch::kAArch64 ? "aarch64" : "x86_64"; }

class Session {
 public:
  Session(const Partition& partition, const TuneOptions& options, Progress* progress, const std::atomic<bool>* stop)
      : partition_(partition),
        options_(options),
        progress_(progress),
        stop_(stop),
        begun_ns_(SystemClock().NowNs()),
        rng_(options.seed) {}

  StatusOr<TuneSummary> Run() {
    TILTH_RETURN_IF_ERROR(Prepare());
    if (!SearchIsOver() || !FinalTasks(tasks_).empty()) {
      TILTH_RETURN_IF_ERROR(Connect());
      const Status status = Work();
      const Status ended = log_->EndSession(Elapsed(), policy_->candidates_scored());
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
  int Budget() const { return options_.trials - trials_ - under_way_; }
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
                                          {"device_class", options_.device_class}})
                              .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    TILTH_ASSIGN_OR_RETURN(log_, TrialLog::Open(options_.log_path, options_.target, info));
    policy_ = MakeEvolutionarySearch();
    TILTH_ASSIGN_OR_RETURN(learner_, Learner::Create());
    std::vector<ScheduledTask> scheduled;
    for (const TuningTask& task : tasks_) {
      scheduled.push_back({.weight = static_cast<double>(task.weight()),
                           .work = task.flops() + CompulsoryBytes(task.space().workload()),
                           .single = task.space().Size() == 1});
    }
    scheduler_ = std::make_unique<TaskScheduler>(std::move(scheduled));
    TILTH_RETURN_IF_ERROR(Resume());
    trials_before_ = trials_;
    // A session that continues must not draw what the last one drew.
    rng_ = Rng(CombineHash(options_.seed, static_cast<uint64_t>(trials_)));
    return absl::OkStatus();
  }

  Status Resume() {
    TILTH_RETURN_IF_ERROR(log_->Load(tasks_, [this](const LoadedRecord& loaded) {
      const TuningRecord& record = *loaded.record;
      Learn(loaded.task, loaded.candidate, record.origin, record.median_ns, loaded.error, loaded.own);
      if (!record.artifact_hash.empty() && record.origin != kOriginDuplicate) {
        known_.push_back({loaded.task, record.artifact_hash, record.trial_id, {}});
        known_.back().result.median_ns = record.median_ns;
        known_.back().result.spread = record.spread;
        known_.back().result.samples_ns = record.samples_ns;
        known_.back().result.error = loaded.error;
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
             MeasureErrorKind error, bool own) {
    TuningTask& task = tasks_[static_cast<size_t>(task_index)];
    task.AddResult(candidate, origin, median_ns, error, own);
    if (origin == kOriginFinal) return;
    scheduler_->Finished(task_index, median_ns);
    if (own && origin != kOriginDuplicate) ++trials_;
    std::vector<float> features(static_cast<size_t>(NumFeatures()));
    ExtractFeatures(task.space().Resolve(candidate), task.space().target(), features);
    learner_->Add(task_index, features, median_ns);
  }

  Status Connect() {
    std::string address = options_.farm_address, device_class = options_.device_class;
    if (address.empty()) {
      TILTH_RETURN_IF_ERROR(StartFarm());
      address = embedded_->address();
      device_class = embedded_->device_class();
    }
    FarmClientOptions client_options;
    client_options.address = address;
    client_options.device_class = device_class;
    client_options.session_name = StrCat("tune ", options_.model_name);
    TILTH_ASSIGN_OR_RETURN(client_, FarmClient::Connect(client_options));
    TILTH_ASSIGN_OR_RETURN(const Device device, client_->WaitDevice(kDeviceWaitMs));
    if (const char* wanted = ArchitectureOf(options_.target); device.architecture != wanted) {
      return absl::FailedPreconditionError(StrCat("target ", options_.target.name, " is for ", wanted,
                                                  ", but devices of class '", device_class, "' are ",
                                                  device.architecture, ": give another --target or another --device"));
    }
    TILTH_RETURN_IF_ERROR(log_->BeginSession(tasks_, device), options_.log_path);
    SetRooflines(device.peak_gflops);
    const int build_threads = static_cast<int>(AllowedCores().size());
    pipeline_ = std::make_unique<MeasurePipeline>(client_.get(), std::clamp(build_threads, 1, 8),
                                                  options_.artifact_cache);
    for (const KnownCode& known : known_)
      pipeline_->AddKnown(known.task, known.artifact_hash, known.trial_id, known.result);
    return absl::OkStatus();
  }

  Status StartFarm() {
    if (!RunsOnThisMachine(options_.target)) {
      return absl::FailedPreconditionError(
          StrCat("code for target ", options_.target.name,
                 " does not run on this machine: give a --farm and a --device to measure on"));
    }
    EmbeddedFarmOptions farm_options;
    farm_options.measure_core = AllowedCores().back();
    TILTH_ASSIGN_OR_RETURN(embedded_, EmbeddedFarm::Start(farm_options), "starting a farm on this machine");
    // Only after the farm's own threads and processes are there: they keep all cores.
    avoidance_.emplace(farm_options.measure_core);
    return absl::OkStatus();
  }

  Status Work() {
    TILTH_RETURN_IF_ERROR(learner_->Refresh());
    const double busy_before = BusySeconds();
    const int64_t search_begun_ns = SystemClock().NowNs();
    while (!Stopped() && !OutOfTime()) {
      TILTH_RETURN_IF_ERROR(Fill());
      if (pipeline_->UnderWay() == 0) break;
      TILTH_RETURN_IF_ERROR(Collect());
      TILTH_RETURN_IF_ERROR(learner_->Refresh());
      Show("tuning");
    }
    const double searched_s = 1e-9 * static_cast<double>(SystemClock().NowNs() - search_begun_ns);
    if (searched_s > 1) busy_share_ = (BusySeconds() - busy_before) / searched_s;
    if (Stopped()) {
      pipeline_->Cancel();
      return absl::OkStatus();
    }
    // Out of time: what has been started is cheap to finish.
    while (pipeline_->UnderWay() > 0 && !Stopped()) TILTH_RETURN_IF_ERROR(Collect());
    return RunFinals();
  }

  double BusySeconds() {
    double busy_s = 0;
    const StatusOr<std::vector<DeviceStatus>> devices = client_->Devices();
    if (!devices.ok()) return 0;
    for (const DeviceStatus& status : *devices) {
      if (status.device.device_class == (embedded_ ? embedded_->device_class() : options_.device_class)) {
        busy_s += status.busy_seconds;
      }
    }
    return busy_s;
  }

  // Proposes until enough is under way, or nothing is left to propose.
  Status Fill() {
    while (pipeline_->UnderWay() < kTrialsUnderWay && Budget() > 0) {
      const Turn turn = scheduler_->Next();
      if (turn.task < 0) break;
      const int count = std::min(turn.count, Budget());
      if (turn.measure_default) {
        Start(turn.task, {tasks_[static_cast<size_t>(turn.task)].space().Default(), kOriginDefault});
        continue;
      }
      TuningTask& task = tasks_[static_cast<size_t>(turn.task)];
      const std::vector<MeasuredCandidate>& measured = task.measured();
      FeatureScorer scorer(task.space(), learner_->model());
      const SearchRequest request = {.space = &task.space(),
                                     .scorer = &scorer,
                                     .measured = std::span(measured),
                                     .taken = &task.taken(),
                                     .count = count};
      TILTH_ASSIGN_OR_RETURN(const std::vector<Proposal> proposals, policy_->Propose(request, rng_));
      if (static_cast<int>(proposals.size()) < count) scheduler_->SetExhausted(turn.task);
      for (const Proposal& proposal : proposals) Start(turn.task, proposal);
    }
    return absl::OkStatus();
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
    job.seed = options_.seed;
    job.options.best_so_far_ns = static_cast<int64_t>(scheduler_->best_ns(task_index));
    pipeline_->Enqueue(std::move(job));
  }

  // Records what has come in, then learns from it.
  Status Collect() {
    TILTH_ASSIGN_OR_RETURN(std::vector<MeasureOutcome> outcomes, pipeline_->Wait(kWaitMs));
    std::vector<MeasureOutcome> recorded;
    for (MeasureOutcome& outcome : outcomes) {
      --under_way_;
      if (outcome.result.status.ok()) {
        infrastructure_failures_ = 0;
        recorded.push_back(std::move(outcome));
        continue;
      }
      tasks_[static_cast<size_t>(outcome.job.task)].Release(outcome.job.candidate);
      scheduler_->Dropped(outcome.job.task);
      if (++infrastructure_failures_ > kMostInfrastructureFailures) {
        return Annotate(outcome.result.status,
                        StrCat("the farm failed ", infrastructure_failures_, " trials in a row"));
      }
    }
    TILTH_RETURN_IF_ERROR(Record(recorded));
    for (const MeasureOutcome& outcome : recorded) {
      const bool measured = outcome.error == MeasureErrorKind::kNone;
      Learn(outcome.job.task, outcome.job.candidate, outcome.duplicate ? kOriginDuplicate : outcome.job.origin,
            measured ? outcome.result.median_ns : 0, outcome.error, /*own=*/true);
    }
    return absl::OkStatus();
  }

  Status Record(const std::vector<MeasureOutcome>& outcomes) {
    for (const MeasureOutcome& outcome : outcomes) {
      const std::string& fingerprint = outcome.result.device_fingerprint;
      if (fingerprint.empty() || log_->HasDevice(fingerprint)) continue;
      TILTH_ASSIGN_OR_RETURN(const std::vector<DeviceStatus> devices, client_->Devices());
      for (const DeviceStatus& status : devices) TILTH_RETURN_IF_ERROR(log_->PutDevice(status.device));
    }
    return Annotate(log_->Append(tasks_, outcomes), options_.log_path);
  }

  Status RunFinals() {
    FinalRound round(tasks_, FinalTasks(tasks_), options_.seed);
    for (MeasureJob& job : round.Jobs([this] { return log_->NextTrialId(); })) pipeline_->Enqueue(std::move(job));
    while (pipeline_->UnderWay() > 0) {
      if (Stopped()) {
        pipeline_->Cancel();
        return absl::OkStatus();
      }
      TILTH_ASSIGN_OR_RETURN(const std::vector<MeasureOutcome> outcomes, pipeline_->Wait(kWaitMs));
      const std::vector<MeasureOutcome> complete = round.Add(outcomes);
      TILTH_RETURN_IF_ERROR(Record(complete));
      for (const MeasureOutcome& outcome : complete) {
        Learn(outcome.job.task, outcome.job.candidate, kOriginFinal,
              outcome.error == MeasureErrorKind::kNone ? outcome.result.median_ns : 0, outcome.error, /*own=*/true);
      }
      Show("comparing the best");
    }
    return absl::OkStatus();
  }

  void Show(const char* phase) {
    if (progress_ == nullptr) return;
    const TuneSummary summary = Summarise();
    ProgressSnapshot snapshot;
    snapshot.phase = phase;
    snapshot.tasks = static_cast<int>(tasks_.size());
    for (int i = 0; i < snapshot.tasks; ++i) snapshot.tasks_settled += scheduler_->Settled(i) ? 1 : 0;
    snapshot.trials = trials_;
    snapshot.trials_wanted = options_.trials;
    snapshot.trials_before = trials_before_;
    snapshot.default_ns = summary.default_ns;
    snapshot.best_ns = summary.tuned_ns;
    snapshot.failures = summary.failures;
    snapshot.elapsed_s = Elapsed();
    snapshot.time_budget_s = options_.time_budget_s;
    progress_->Update(snapshot);
  }

  TuneSummary Summarise() const {
    TuneSummary summary;
    for (const TuningTask& task : tasks_) {
      summary.tasks.push_back({.workload_hash = task.workload_hash(),
                               .name = task.name(),
                               .weight = task.weight(),
                               .flops = task.flops(),
                               .space_size = task.space().Size(),
                               .default_ns = task.default_ns(),
                               .best_ns = task.best_ns(),
                               .trials = task.trials(),
                               .failures = task.num_failures()});
      for (const auto& [kind, count] : task.failures()) summary.failures[std::string(ToString(kind))] += count;
    }
    AddModelTimes(&summary);
    const SessionTotals& totals = log_->totals();
    summary.trials = trials_;
    summary.wall_s = totals.wall_s;
    summary.candidates_scored = totals.candidates_scored;
    summary.build_s = totals.build_s;
    summary.measure_s = totals.measure_s;
    summary.duplicates = totals.duplicates;
    summary.stale_records = totals.stale_records;
    summary.peak_gflops = peak_gflops_;
    summary.device_busy_share = busy_share_;
    summary.interrupted = Stopped();
    return summary;
  }

  struct KnownCode {
    int task;
    std::string artifact_hash, trial_id;
    MeasureResult result;
  };

  const Partition& partition_;
  const TuneOptions& options_;
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
  int infrastructure_failures_ = 0;
  double peak_gflops_ = 0, busy_share_ = 0;

  std::optional<CoreAvoidance> avoidance_;
  // Destroyed in the opposite order: the pipeline uses the client, and the client says good-bye to the farm.
  std::unique_ptr<EmbeddedFarm> embedded_;
  std::unique_ptr<FarmClient> client_;
  std::unique_ptr<MeasurePipeline> pipeline_;
};

}  // namespace

StatusOr<TuneSummary> Tune(const Partition& partition, const TuneOptions& options, Progress* progress,
                           const std::atomic<bool>* stop) {
  return Session(partition, options, progress, stop).Run();
}

}  // namespace tilth
