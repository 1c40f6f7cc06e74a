#include "rpc_agent/trial_executor.h"

#include <signal.h>

#include <algorithm>
#include <optional>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/logging.h"
#include "rpc_agent/runner/request.h"

namespace tilth {
namespace {

constexpr int64_t kExpectedCacheBytes = int64_t{2} << 30;
constexpr int64_t kProbeDeadlineMs = 10'000;
constexpr int64_t kPeakDeadlineMs = 60'000;
constexpr int64_t kDefaultDeadlineMs = 10'000;
constexpr int kStderrLines = 5;
constexpr size_t kMostStderrLineBytes = 500;
// Of what a child may say; a reply with the most samples is far smaller.
constexpr size_t kMostOutputBytes = 1 << 20;
// The peak was measured in another moment: the clock may be higher now.
constexpr double kPeakMargin = 1.25;
constexpr int64_t kCanaryDeadlineMs = 10'000;
// A device slower than this share of its calibrated speed is not itself; the trial is measured again, so often.
constexpr double kCanaryRemeasure = 0.97;
constexpr int kRemeasurements = 2;
constexpr double kMemoryLimitReached = 0.9;
constexpr int kMostRuns = 3;  // of a child that somebody kills

std::string FirstLines(const std::string& text) {
  std::vector<std::string> lines = absl::StrSplit(text, absl::MaxSplits('\n', kStderrLines), absl::SkipWhitespace());
  if (lines.size() > kStderrLines) lines.resize(kStderrLines);
  for (std::string& line : lines) line.resize(std::min(line.size(), kMostStderrLineBytes));
  return absl::StrJoin(lines, "\n");
}

std::string WithStderr(std::string detail, const std::string& stderr_text) {
  const std::string lines = FirstLines(stderr_text);
  return lines.empty() ? detail : StrCat(detail, "; it printed:\n", lines);
}

std::optional<MeasureErrorKind> ParseErrorKind(const std::string& name) {
  for (int kind = 1; kind < kNumMeasureErrorKinds; ++kind) {
    if (ToString(static_cast<MeasureErrorKind>(kind)) == name) return static_cast<MeasureErrorKind>(kind);
  }
  return std::nullopt;
}

runner::KernelRequest MakeRequest(const Trial& trial, const std::string& artifact, const std::string& expected) {
  runner::KernelRequest request;
  request.artifact_path = artifact;
  request.expected_path = expected;
  request.seed = trial.seed;
  for (const Tolerance& tolerance : trial.tolerances) request.tolerances.push_back({tolerance.rtol, tolerance.atol});
  request.value_bounds = trial.value_bounds;
  const MeasureOptions& options = trial.options;
  request.loop = {.min_repeats = options.min_repeats,
                  .max_repeats = options.max_repeats,
                  .target_relative_ci = options.target_relative_ci,
                  .warmup_ns = options.warmup_ns,
                  .time_budget_ns = options.time_budget_ns,
                  .min_sample_ns = options.min_sample_ns,
                  .best_so_far_ns = options.best_so_far_ns,
                  .racing_factor = options.racing_factor};
  return request;
}

}  // namespace

// What a child left behind: its last stage and reply, or how it died.
struct TrialExecutor::Reply {
  std::string stage, reply;       // reply empty: it did not come to one
  bool candidate_killed = false;  // by SIGKILL, the runner being alive; the reply is empty then
  SubprocessOutput output;

  bool NearMemoryLimit(int64_t memory_limit_bytes) const {
    return memory_limit_bytes > 0 && static_cast<double>(output.exit.max_rss_bytes) >
                                         kMemoryLimitReached * static_cast<double>(memory_limit_bytes);
  }
  // SIGKILL that is not ours: the kernel's out-of-memory killer, or somebody who meant the process and not the kernel.
  bool KilledFromOutside() const {
    if (candidate_killed) return true;
    return reply.empty() && output.exit.signalled && output.exit.code == SIGKILL && !output.exit.deadline_passed;
  }
  // Why there is no reply.
  MeasureErrorKind DeathKind(int64_t memory_limit_bytes) const {
    if (output.exit.deadline_passed) return MeasureErrorKind::kRunTimeout;
    if (NearMemoryLimit(memory_limit_bytes) || KilledFromOutside()) return MeasureErrorKind::kOutOfMemory;
    return stage == "load" ? MeasureErrorKind::kLoad : MeasureErrorKind::kRunCrash;
  }
  std::string DeathDetail() const {
    if (candidate_killed) return WithStderr("killed from outside, again and again", output.stderr_text);
    const std::string how = output.exit.signalled || output.exit.deadline_passed
                                ? output.exit.Describe()
                                : StrCat(output.exit.Describe(), " before it had an answer");
    return WithStderr(how, output.stderr_text);
  }
};

StatusOr<std::unique_ptr<TrialExecutor>> TrialExecutor::Create(const ExecutorOptions& options) {
  TILTH_CHECK(!options.runner.empty());
  TILTH_ASSIGN_OR_RETURN(DiskCache expected,
                         DiskCache::Open(StrCat(options.work_directory, "/expected"), kExpectedCacheBytes));
  return std::unique_ptr<TrialExecutor>(new TrialExecutor(options, std::move(expected)));
}

StatusOr<TrialExecutor::Reply> TrialExecutor::RunChild(const std::string& mode, const std::string& request,
                                                       int64_t deadline_ms) {
  for (int run = 1;; ++run) {
    TILTH_ASSIGN_OR_RETURN(Reply reply, RunChildOnce(mode, request, deadline_ms));
    // Whoever killed it may not have meant this candidate; the third time, it is the candidate's doing.
    const bool by_chance = reply.KilledFromOutside() && !reply.NearMemoryLimit(options_.memory_limit_bytes);
    if (!by_chance || run == kMostRuns) return reply;
  }
}

StatusOr<TrialExecutor::Reply> TrialExecutor::RunChildOnce(const std::string& mode, const std::string& request,
                                                           int64_t deadline_ms) {
  Reply reply;
  TILTH_ASSIGN_OR_RETURN(reply.output, runners_.Run(mode, request, deadline_ms, kMostOutputBytes), "running a trial");
  for (absl::string_view line : absl::StrSplit(reply.output.result_bytes, '\n')) {
    const std::pair<absl::string_view, absl::string_view> words = absl::StrSplit(line, absl::MaxSplits(' ', 1));
    if (words.first == "stage") reply.stage = std::string(words.second);
    if (words.first == "reply") reply.reply = std::string(words.second);
  }
  if (const auto parsed = runner::ParseReply(reply.reply); parsed && parsed->error == runner::kKilled) {
    reply.candidate_killed = true;
    reply.reply.clear();
  }
  if (reply.stage.empty() && reply.reply.empty() && !reply.KilledFromOutside()) {
    return absl::InternalError(StrCat("the runner ", options_.runner.front(), " ", reply.output.exit.Describe(),
                                      " before it began", reply.output.stderr_text.empty() ? "" : ": ",
                                      FirstLines(reply.output.stderr_text)));
  }
  return reply;
}

Status TrialExecutor::Identify(Device* device) {
  TILTH_ASSIGN_OR_RETURN(Reply reply, RunChild("probe", options_.work_directory, kProbeDeadlineMs),
                         "asking the runner what it is");
  const std::optional<runner::ProbeReply> probe = runner::ParseProbe(reply.reply);
  if (!probe) return absl::InternalError(StrCat("the runner does not say what it is: ", reply.DeathDetail()));
  device->sandbox = probe->sandbox;
  if (probe->architecture == device->architecture) return absl::OkStatus();
  device->architecture = probe->architecture;
  device->cpu_model = StrCat(probe->architecture, " emulated on ", device->cpu_model);
  device->cpu_features.clear();
  device->fingerprint = ContentHash(StrCat(device->fingerprint, " ", probe->architecture));
  return absl::OkStatus();
}

StatusOr<Calibration> TrialExecutor::MeasurePeaks() {
  TILTH_ASSIGN_OR_RETURN(Reply reply, RunChild("peak", std::to_string(options_.core), kPeakDeadlineMs),
                         "measuring the device's peak");
  const std::optional<runner::PeakReply> peak = runner::ParsePeak(reply.reply);
  if (!peak) {
    return absl::InternalError(StrCat("the runner could not measure the device's peak: ", reply.DeathDetail()));
  }
  return Calibration{.peak_gflops = peak->gflops, .bandwidth_gbps = peak->bandwidth_gbps};
}

Status TrialExecutor::Calibrate(Device* device, bool anew) {
  const std::string path = StrCat(options_.work_directory, "/calibration.json");
  const StatusOr<std::string> program = ReadFile(options_.runner.back());
  const std::string key = ContentHash(StrCat(device->fingerprint, " ", options_.core, " ", program.value_or("")));
  std::optional<Calibration> calibration;
  if (!anew) calibration = LoadCalibration(path, key);
  if (!calibration) {
    TILTH_ASSIGN_OR_RETURN(calibration, MeasurePeaks());
    // Another start measures again.
    if (const Status kept = StoreCalibration(path, key, *calibration); !kept.ok()) LogWarning(kept.ToString());
  }
  device->peak_gflops = peak_gflops_ = calibration->peak_gflops;
  device->bandwidth_gbps = calibration->bandwidth_gbps;
  return absl::OkStatus();
}

StatusOr<DeviceHealth> TrialExecutor::MeasureHealth() {
  const std::string request = runner::FormatCanaryRequest({.core = options_.core, .expected_gflops = peak_gflops_});
  TILTH_ASSIGN_OR_RETURN(Reply reply, RunChild("canary", request, kCanaryDeadlineMs), "measuring the canary");
  const std::optional<runner::CanaryReading> canary = runner::ParseCanary(reply.reply);
  if (!canary) return absl::InternalError(StrCat("the runner measured no canary: ", reply.DeathDetail()));
  DeviceHealth health{.canary_spread = canary->spread, .canary_lost = canary->lost};
  if (peak_gflops_ > 0) health.canary_ratio = canary->gflops / peak_gflops_;
  return health;
}

StatusOr<std::string> TrialExecutor::ExpectedOutputs(const Trial& trial, const std::string& baseline_path) {
  const std::string key =
      ContentHash(StrCat(trial.baseline_hash, "/", trial.seed, "/", absl::StrJoin(trial.value_bounds, ",")));
  if (expected_.Contains(key)) return expected_.Path(key);
  const runner::KernelRequest request = MakeRequest(trial, baseline_path, expected_.PathForNew(key));
  const int64_t deadline_ms = trial.run_deadline_ms > 0 ? trial.run_deadline_ms : kDefaultDeadlineMs;
  TILTH_ASSIGN_OR_RETURN(Reply reply, RunChild("baseline", runner::FormatRequest(request), deadline_ms));
  const std::optional<runner::KernelReply> parsed = runner::ParseReply(reply.reply);
  if (!parsed || !parsed->error.empty()) {
    return absl::FailedPreconditionError(
        StrCat("the baseline ", trial.baseline_hash, " does not run on this device, so nothing can be verified: ",
               parsed ? StrCat(parsed->error, ": ", parsed->detail) : reply.DeathDetail()));
  }
  TILTH_RETURN_IF_ERROR(expected_.Adopt(key));
  return expected_.Path(key);
}

MeasureResult TrialExecutor::MeasureOnce(const Trial& trial, const std::string& artifact_path,
                                         const std::string& expected_path) {
  MeasureResult result;
  result.trial_id = trial.trial_id;
  runner::KernelRequest request = MakeRequest(trial, artifact_path, expected_path);
  request.core = options_.core;
  request.expected_gflops = peak_gflops_;
  const int64_t deadline_ms = trial.run_deadline_ms > 0 ? trial.run_deadline_ms : kDefaultDeadlineMs;
  const StatusOr<Reply> reply = RunChild("trial", runner::FormatRequest(request), deadline_ms);
  if (!reply.ok()) {
    result.status = reply.status();
    return result;
  }
  const std::optional<runner::KernelReply> parsed = runner::ParseReply(reply->reply);
  if (!parsed) {
    result.error = reply->DeathKind(options_.memory_limit_bytes);
    result.detail = result.error == MeasureErrorKind::kRunTimeout
                        ? WithStderr(StrCat("did not end within ", deadline_ms, " ms"), reply->output.stderr_text)
                        : reply->DeathDetail();
    return result;
  }
  result.detail = WithStderr(parsed->detail, parsed->error.empty() ? "" : reply->output.stderr_text);
  if (!parsed->error.empty()) {
    const std::optional<MeasureErrorKind> kind = ParseErrorKind(parsed->error);
    if (kind) {
      result.error = *kind;
    } else {
      result.status = absl::InternalError(StrCat("the runner reports: ", parsed->detail));
    }
    return result;
  }
  result.samples_ns = parsed->times.samples_ns;
  result.median_ns = parsed->times.median_ns;
  result.spread = parsed->times.spread;
  result.dropped_samples = parsed->times.dropped_samples;
  result.beaten = parsed->times.beaten;
  result.max_abs_error = parsed->max_abs_error;
  if (peak_gflops_ > 0) result.health.canary_ratio = parsed->canary_gflops / peak_gflops_;
  return result;
}

bool TrialExecutor::Implausible(const Trial& trial, const MeasureResult& result) const {
  if (!result.Measured() || trial.flops <= 0 || peak_gflops_ <= 0) return false;
  return trial.flops / result.median_ns > kPeakMargin * peak_gflops_;
}

bool TrialExecutor::Drifted(const MeasureResult& result) const {
  const double speed = result.health.canary_ratio;
  return result.Measured() && !result.beaten && speed > 0 && speed < kCanaryRemeasure;
}

MeasureResult TrialExecutor::Execute(const Trial& trial, const std::string& artifact_path,
                                     const std::string& baseline_path) {
  const StatusOr<std::string> expected = ExpectedOutputs(trial, baseline_path);
  if (!expected.ok()) {
    MeasureResult result;
    result.trial_id = trial.trial_id;
    result.status = expected.status();
    return result;
  }
  MeasureResult result = MeasureOnce(trial, artifact_path, *expected);
  for (int again = 0; again < kRemeasurements && Drifted(result); ++again)
    result = MeasureOnce(trial, artifact_path, *expected);
  if (Implausible(trial, result)) result = MeasureOnce(trial, artifact_path, *expected);
  // The reason may be a damaged file; it costs little to make it again.
  if (!result.status.ok()) RemoveFile(*expected).IgnoreError();
  if (Implausible(trial, result)) {
    result.error = MeasureErrorKind::kImplausibleTime;
    result.detail = StrCat(trial.flops / result.median_ns, " GFLOP/s, twice, on a device whose measured peak is ",
                           peak_gflops_, " GFLOP/s");
  }
  if (result.error != MeasureErrorKind::kNone) {
    LogInfo("trial ", trial.trial_id, ": ", ToString(result.error), ": ", FirstLines(result.detail));
  }
  return result;
}

}  // namespace tilth
