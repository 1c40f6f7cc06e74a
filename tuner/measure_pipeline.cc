// Build threads and the tables that they share with the owner, under one mutex.
#include "tuner/measure_pipeline.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <map>
#include <utility>

#include "absl/synchronization/mutex.h"
#include "base/clock.h"
#include "boost/asio/post.hpp"
#include "boost/asio/thread_pool.hpp"
#include "compiler/build_kernel.h"
#include "ir/workload.h"
#include "tuner/tolerance.h"
#include "tuner/trial_note.h"

namespace tilth {
namespace {

// A wait on the farm cannot be interrupted by a build that fails, so it is cut into slices.
constexpr int64_t kWaitSliceMs = 25;
// For the naive baseline, which runs in the same deadline: slow code on a slow board.
constexpr double kSlowestFlopsPerMs = 50'000;
constexpr int64_t kShortestDeadlineMs = 15'000;
// A trial that finds no other waiting for its device is measured for about as long as the next build takes: the time
// would be lost, and more samples, longer each, make a better median.
constexpr double kSpareBuilds = 1.5;
constexpr int64_t kSpareSampleNs = 100'000;
// Of artifacts that may be measured again at the end; the oldest make room.
constexpr size_t kKeptArtifactBytes = size_t{64} << 20;

MeasureErrorKind KindOf(BuildStep step) {
  switch (step) {
    case BuildStep::kInstantiate:
      return MeasureErrorKind::kInstantiate;
    case BuildStep::kLower:
      return MeasureErrorKind::kLower;
    case BuildStep::kCompile:
      return MeasureErrorKind::kCompile;
    case BuildStep::kLink:
      return MeasureErrorKind::kLink;
  }
  return MeasureErrorKind::kCompile;
}

Trial MakeTrial(const MeasureOutcome& outcome, const std::string& baseline_hash) {
  const MeasureJob& job = outcome.job;
  const Workload& workload = job.space->workload();
  Trial trial;
  trial.trial_id = job.trial_id;
  trial.artifact_hash = outcome.artifact_hash;
  trial.baseline_hash = baseline_hash;
  trial.seed = job.seed;
  trial.tolerances = OutputTolerances(workload);
  for (const Tensor& tensor : workload.tensors) {
    const bool given = tensor.role == TensorRole::kInput || tensor.role == TensorRole::kConstant;
    if (given) trial.value_bounds.push_back(tensor.value_bound);
  }
  trial.options = job.options;
  trial.flops = job.space->Resolve(job.candidate).flops;
  trial.together = job.together;
  trial.run_deadline_ms = kShortestDeadlineMs + static_cast<int64_t>(Flops(workload) / kSlowestFlopsPerMs);
  trial.note = ToText({.workload_hash = job.workload_hash,
                       .target_hash = TargetHash(job.space->target()),
                       .decisions = ToJson(job.space->ToDecisions(job.candidate)),
                       .origin = job.origin,
                       .artifact_hash = outcome.artifact_hash,
                       .build_s = outcome.build_s});
  return trial;
}

}  // namespace

class MeasurePipeline::Impl {
 public:
  Impl(FarmClient* farm, const PipelineOptions& options)
      : farm_(farm),
        cache_(options.artifact_cache),
        enough_submitted_(static_cast<size_t>(2 * std::max(1, options.devices))),
        pool_(static_cast<size_t>(std::max(1, options.build_threads))) {}

  ~Impl() {
    cancelled_.store(true);
    pool_.join();
  }

  void Enqueue(MeasureJob job) {
    {
      absl::MutexLock lock(&mutex_);
      ++under_way_;
    }
    boost::asio::post(pool_, [this, job = std::move(job)]() mutable {
      if (cancelled_.load()) return;
      Build(std::move(job));
    });
  }

  void AddKnown(int task, const std::string& artifact_hash, const std::string& trial_id, const MeasureResult& result) {
    absl::MutexLock lock(&mutex_);
    Code& code = codes_[{task, artifact_hash}];
    code.trial_id = trial_id;
    code.known = true;
    code.result = result;
  }

  StatusOr<std::vector<MeasureOutcome>> Wait(int64_t timeout_ms) {
    const int64_t deadline_ns = SystemClock().NowNs() + timeout_ms * 1'000'000;
    for (;;) {
      const int64_t left_ms = std::max<int64_t>(0, (deadline_ns - SystemClock().NowNs()) / 1'000'000);
      const bool outcomes_wait = HasOutcomes();
      TILTH_ASSIGN_OR_RETURN(const std::vector<MeasureResult> results,
                             farm_->WaitResults(outcomes_wait ? 0 : std::min(left_ms, kWaitSliceMs)));
      absl::MutexLock lock(&mutex_);
      for (const MeasureResult& result : results) Resolve(result);
      if (!failure_.ok()) return failure_;
      if (!outcomes_.empty() || left_ms == 0) {
        under_way_ -= outcomes_.size();
        return std::exchange(outcomes_, {});
      }
    }
  }

  size_t UnderWay() const {
    absl::MutexLock lock(&mutex_);
    return under_way_;
  }

  void Cancel() {
    cancelled_.store(true);
    pool_.join();
    farm_->Cancel({}).IgnoreError();  // a farm that is gone has forgotten them anyway
    absl::MutexLock lock(&mutex_);
    under_way_ = 0;
  }

 private:
  // Machine code that has been handed to the farm, or measured.
  struct Code {
    std::string trial_id;
    bool known = false;
    MeasureResult result;
    std::vector<MeasureOutcome> followers;  // wait for the result of trial_id
  };

  bool HasOutcomes() const {
    absl::MutexLock lock(&mutex_);
    return !outcomes_.empty() || !failure_.ok();
  }

  void Build(MeasureJob job) {
    MeasureOutcome outcome;
    const int64_t begun_ns = SystemClock().NowNs();
    StatusOr<std::string> baseline = BaselineOf(job);
    BuildReport report;
    StatusOr<Artifact> artifact = absl::UnknownError("");
    if (baseline.ok()) artifact = ArtifactOf(job, &report);
    const int64_t build_ns = SystemClock().NowNs() - begun_ns;
    outcome.build_s = 1e-9 * static_cast<double>(build_ns);
    outcome.job = std::move(job);

    if (!baseline.ok()) {
      absl::MutexLock lock(&mutex_);
      failure_.Update(baseline.status());
      return;
    }
    if (!artifact.ok()) {
      outcome.error = KindOf(report.step);
      outcome.detail = std::string(artifact.status().message());
      absl::MutexLock lock(&mutex_);
      outcomes_.push_back(std::move(outcome));
      return;
    }
    outcome.artifact_hash = artifact->hash;
    Trial trial = MakeTrial(outcome, *baseline);
    if (IsDuplicate(&outcome)) return;
    // Rivals at the end are all measured alike.
    if (!outcome.job.repeat) UseSpareTime(build_ns, &trial.options);
    Status status = farm_->PutBlob(artifact->shared_object).status();
    if (status.ok()) status = farm_->Submit({trial});
    if (!status.ok()) {
      absl::MutexLock lock(&mutex_);
      failure_.Update(Annotate(status, "submitting a trial"));
    }
  }

  StatusOr<Artifact> ArtifactOf(const MeasureJob& job, BuildReport* report) {
    const std::pair<int, Candidate> key(job.task, job.candidate);
    {
      absl::MutexLock lock(&kept_mutex_);
      if (const auto found = kept_.find(key); found != kept_.end()) return found->second;
    }
    TILTH_ASSIGN_OR_RETURN(const Artifact artifact, BuildArtifact(*job.space, job.candidate, report, cache_));
    absl::MutexLock lock(&kept_mutex_);
    if (kept_.emplace(key, artifact).second) {
      kept_order_.push_back(key);
      kept_bytes_ += artifact.shared_object.size();
    }
    while (kept_bytes_ > kKeptArtifactBytes) {
      const auto oldest = kept_.find(kept_order_.front());
      kept_bytes_ -= oldest->second.shared_object.size();
      kept_.erase(oldest);
      kept_order_.pop_front();
    }
    return artifact;
  }

  // For the trial that is about to be submitted, after a build of `build_ns`.
  void UseSpareTime(int64_t build_ns, MeasureOptions* options) {
    absl::MutexLock lock(&mutex_);
    recent_build_ns_ += (static_cast<double>(build_ns) - recent_build_ns_) / 8;
    if (submitted_.size() > enough_submitted_) return;
    options->target_relative_ci = 0;
    options->min_sample_ns = std::max(options->min_sample_ns, kSpareSampleNs);
    options->time_budget_ns = std::min(options->time_budget_ns, static_cast<int64_t>(kSpareBuilds * recent_build_ns_));
  }

  // Takes `outcome` over in any case: either it is answered from a twin, or it waits for its own result.
  bool IsDuplicate(MeasureOutcome* outcome) {
    absl::MutexLock lock(&mutex_);
    const std::string trial_id = outcome->job.trial_id;
    if (!outcome->job.repeat) {
      const auto [entry, is_new] = codes_.try_emplace({outcome->job.task, outcome->artifact_hash});
      Code& code = entry->second;
      if (!is_new && code.known) {
        AnswerFrom(code, std::move(*outcome));
        return true;
      }
      if (!is_new) {
        code.followers.push_back(std::move(*outcome));
        return true;
      }
      code.trial_id = trial_id;
    }
    submitted_[trial_id] = std::move(*outcome);
    return false;
  }

  void AnswerFrom(const Code& code, MeasureOutcome outcome) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    outcome.duplicate = true;
    outcome.result = code.result;
    outcome.error = code.result.error;
    outcome.detail = StrCat("same machine code as trial ", code.trial_id);
    outcomes_.push_back(std::move(outcome));
  }

  void Resolve(const MeasureResult& result) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const auto found = submitted_.find(result.trial_id);
    if (found == submitted_.end()) return;
    MeasureOutcome outcome = std::move(found->second);
    submitted_.erase(found);
    outcome.result = result;
    outcome.error = result.error;
    outcome.detail = result.detail;
    if (!outcome.job.repeat) {
      const auto code = codes_.find({outcome.job.task, outcome.artifact_hash});
      code->second.known = result.status.ok();
      code->second.result = result;
      for (MeasureOutcome& follower : code->second.followers) AnswerFrom(code->second, std::move(follower));
      code->second.followers.clear();
      // The farm could not run it: the next candidate with the same code gets its own chance.
      if (!result.status.ok()) codes_.erase(code);
    }
    outcomes_.push_back(std::move(outcome));
  }

  StatusOr<std::string> BaselineOf(const MeasureJob& job) {
    absl::MutexLock lock(&baseline_mutex_);
    if (const auto found = baselines_.find(job.task); found != baselines_.end()) return found->second;
    const Workload& workload = job.space->workload();
    TILTH_ASSIGN_OR_RETURN(const Artifact artifact, BuildBaseline(workload, job.space->target()),
                           "building the baseline of ", workload.name);
    TILTH_ASSIGN_OR_RETURN(const std::string hash, farm_->PutBlob(artifact.shared_object), "sending the baseline of ",
                           workload.name);
    baselines_[job.task] = hash;
    return hash;
  }

  FarmClient* const farm_;
  ArtifactCache* const cache_;
  const size_t enough_submitted_;  // one runs and one waits on every device
  std::atomic<bool> cancelled_ = false;

  mutable absl::Mutex mutex_;
  size_t under_way_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<MeasureOutcome> outcomes_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, MeasureOutcome> submitted_ ABSL_GUARDED_BY(mutex_);  // by trial id
  std::map<std::pair<int, std::string>, Code> codes_ ABSL_GUARDED_BY(mutex_);
  Status failure_ ABSL_GUARDED_BY(mutex_);
  double recent_build_ns_ ABSL_GUARDED_BY(mutex_) = 20e6;  // a moving average

  absl::Mutex kept_mutex_;
  std::map<std::pair<int, Candidate>, Artifact> kept_ ABSL_GUARDED_BY(kept_mutex_);
  std::deque<std::pair<int, Candidate>> kept_order_ ABSL_GUARDED_BY(kept_mutex_);
  size_t kept_bytes_ ABSL_GUARDED_BY(kept_mutex_) = 0;

  absl::Mutex baseline_mutex_;  // held while building one, so that two candidates do not build it twice
  std::map<int, std::string> baselines_ ABSL_GUARDED_BY(baseline_mutex_);

  boost::asio::thread_pool pool_;  // last: its threads use what is above
};

MeasurePipeline::MeasurePipeline(FarmClient* farm, const PipelineOptions& options)
    : impl_(std::make_unique<Impl>(farm, options)) {}
MeasurePipeline::~MeasurePipeline() = default;

void MeasurePipeline::Enqueue(MeasureJob job) { impl_->Enqueue(std::move(job)); }
void MeasurePipeline::AddKnown(int task, const std::string& artifact_hash, const std::string& trial_id,
                               const MeasureResult& result) {
  impl_->AddKnown(task, artifact_hash, trial_id, result);
}
StatusOr<std::vector<MeasureOutcome>> MeasurePipeline::Wait(int64_t timeout_ms) { return impl_->Wait(timeout_ms); }
size_t MeasurePipeline::UnderWay() const { return impl_->UnderWay(); }
void MeasurePipeline::Cancel() { impl_->Cancel(); }

}  // namespace tilth
