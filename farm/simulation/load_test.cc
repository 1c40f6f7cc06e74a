// See the header.
#include "farm/simulation/load_test.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/hash.h"
#include "base/statistics.h"
#include "farm/simulation/load_user.h"
#include "farm/simulation/simulated_fleet.h"
#include "farm/simulation/tracker_process.h"

namespace tilth {
namespace {

constexpr char kMany[] = "simulated", kOne[] = "simulated-alone";
constexpr double kSigma = 0.5;
constexpr int64_t kAttachMs = 60'000, kDrainMs = 60'000;
constexpr size_t kMostTrials = 4'000'000;
// Of all users: so many calls may wait for the tracker's disk, and the next trial is submitted when it is due.
constexpr int kSubmitters = 1'024;

double Seconds() { return 1e-9 * static_cast<double>(SystemClock().NowNs()); }

std::vector<SimulatedAgentOptions> Agents(int count, const std::string& device_class, Latency trial, uint64_t seed) {
  std::vector<SimulatedAgentOptions> agents(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) {
    SimulatedAgentOptions& agent = agents[static_cast<size_t>(i)];
    agent.agent_id = StrCat(device_class, "-", i);
    agent.device.device_class = device_class;
    agent.device.trial = trial;
    agent.device.seed = CombineHash(seed, static_cast<uint64_t>(i));
  }
  return agents;
}

// Milliseconds from several threads.
class Samples {
 public:
  void Add(double ms) {
    std::lock_guard lock(mutex_);
    values_.push_back(ms);
  }
  StatusOr<double> At(double quantile) const {
    std::lock_guard lock(mutex_);
    if (values_.empty()) return absl::UnavailableError("nothing was measured");
    return Quantile(values_, quantile);
  }

 private:
  mutable std::mutex mutex_;
  std::vector<double> values_;
};

// Random moments, for several threads that wait for one each.
class Arrivals {
 public:
  Arrivals(uint64_t seed, double per_s, double seconds)
      : dice_({.seed = seed}), per_s_(per_s), last_(Seconds()), end_(last_ + seconds) {}

  // Sleeps until the next moment and returns it, in Seconds(); 0: there are no more.
  double WaitForNext() {
    double due = 0;
    {
      std::lock_guard lock(mutex_);
      last_ += dice_.SecondsToNext(per_s_);
      due = last_;
    }
    if (due > end_) return 0;
    std::this_thread::sleep_for(std::chrono::duration<double>(std::max(0.0, due - Seconds())));
    return due;
  }

 private:
  std::mutex mutex_;
  SimulatedDevice dice_;
  const double per_s_;
  double last_;
  const double end_;
};

class LoadTest {
 public:
  LoadTest(const LoadOptions& options, const TrackerProcess& tracker)
      : options_(options), tracker_(tracker), times_(kMostTrials) {}

  StatusOr<LoadReport> Run() {
    SimulatedFleet fleet(tracker_.address(), Agents(options_.agents, kMany, {options_.trial_ms, kSigma}, options_.seed),
                         [this](const std::string& trial_id) { OnGrant(trial_id); });
    TILTH_RETURN_IF_ERROR(fleet.WaitAttached(kAttachMs));
    for (int i = 0; i < options_.users; ++i) {
      TILTH_ASSIGN_OR_RETURN(
          users_.emplace_back(),
          LoadUser::Connect(tracker_.address(), kMany, StrCat("user ", i), static_cast<size_t>(options_.artifact_bytes),
                            times_, [this](const std::string&) { ++results_; }));
    }
    TILTH_RETURN_IF_ERROR(TimeDispatch(), "timing dispatch");
    TILTH_RETURN_IF_ERROR(TimeOverhead(), "timing overhead");
    TILTH_RETURN_IF_ERROR(Saturate(), "saturating the tracker");
    report_.tracker_rss_bytes = tracker_.PeakRssBytes();
    return report_;
  }

 private:
  void OnGrant(const std::string& trial_id) {
    if (!timing_dispatch_) return;
    if (const int64_t due_ns = times_.Get(trial_id); due_ns > 0) {
      dispatch_ms_.Add(1e-6 * static_cast<double>(SystemClock().NowNs() - due_ns));
    }
  }

  // Calls `act` for every user at the same time and waits for all.
  template <typename Act>
  Status ForAllUsers(Act act) {
    std::vector<Status> statuses(users_.size());
    std::vector<std::thread> threads;
    for (size_t i = 0; i < users_.size(); ++i) threads.emplace_back([&, i] { statuses[i] = act(*users_[i], i); });
    for (std::thread& thread : threads) thread.join();
    Status status;
    for (const Status& each : statuses) status.Update(each);
    return status;
  }

  // Trials arrive at random moments, whether or not the tracker is ready for them, and has answered about those before.
  Status TimeDispatch() {
    timing_dispatch_ = true;
    const Status status = ForAllUsers([this](LoadUser& user, size_t number) -> Status {
      Arrivals arrivals(CombineHash(options_.seed, number), options_.arrivals_per_s / options_.users, options_.seconds);
      std::vector<Status> statuses(static_cast<size_t>(kSubmitters / options_.users));
      std::vector<std::thread> submitters;
      for (Status& submitted : statuses) {
        submitters.emplace_back([&] {
          while (submitted.ok()) {
            const double due = arrivals.WaitForNext();
            if (due == 0) return;
            submitted = user.Submit(1, static_cast<int64_t>(1e9 * due));
          }
        });
      }
      for (std::thread& submitter : submitters) submitter.join();
      for (const Status& submitted : statuses) TILTH_RETURN_IF_ERROR(submitted);
      return user.WaitOpenBelow(1, kDrainMs);
    });
    timing_dispatch_ = false;
    TILTH_RETURN_IF_ERROR(status);
    TILTH_ASSIGN_OR_RETURN(report_.p50_dispatch_ms, dispatch_ms_.At(0.5));
    TILTH_ASSIGN_OR_RETURN(report_.p99_dispatch_ms, dispatch_ms_.At(0.99));
    return absl::OkStatus();
  }

  Status TimeOverhead() {
    SimulatedFleet fleet(tracker_.address(), Agents(1, kOne, {}, options_.seed), nullptr);
    TILTH_RETURN_IF_ERROR(fleet.WaitAttached(kAttachMs));
    Samples overhead_ms;
    TILTH_ASSIGN_OR_RETURN(
        const std::unique_ptr<LoadUser> user,
        LoadUser::Connect(tracker_.address(), kOne, "alone", static_cast<size_t>(options_.artifact_bytes), times_,
                          [&](const std::string& trial_id) {
                            overhead_ms.Add(1e-6 * static_cast<double>(SystemClock().NowNs() - times_.Get(trial_id)));
                          }));
    for (int i = 0; i < options_.overhead_trials; ++i) {
      TILTH_RETURN_IF_ERROR(user->Submit(1));
      TILTH_RETURN_IF_ERROR(user->WaitOpenBelow(1, kDrainMs));
    }
    TILTH_ASSIGN_OR_RETURN(report_.overhead_ms_median, overhead_ms.At(0.5));
    return absl::OkStatus();
  }

  // More trials are open than all agents hold, all the time.
  Status Saturate() {
    const int64_t depth = std::max<int64_t>(4LL * options_.agents / options_.users, options_.batch);
    std::atomic<bool> over = false;
    double begun = 0, begun_cpu = 0;
    int64_t begun_results = 0;
    std::thread watch([&] {
      std::this_thread::sleep_for(std::chrono::duration<double>(0.2 * options_.seconds));
      begun = Seconds(), begun_cpu = tracker_.CpuSeconds(), begun_results = results_;
      std::this_thread::sleep_for(std::chrono::duration<double>(0.8 * options_.seconds));
      const double seconds = Seconds() - begun;
      report_.trials_per_second = static_cast<double>(results_ - begun_results) / seconds;
      report_.tracker_cpu_share = (tracker_.CpuSeconds() - begun_cpu) / seconds;
      over = true;
    });
    const Status status = ForAllUsers([&](LoadUser& user, size_t) -> Status {
      while (!over) {
        TILTH_RETURN_IF_ERROR(user.WaitOpenBelow(depth, kDrainMs));
        TILTH_RETURN_IF_ERROR(user.Submit(options_.batch));
      }
      return user.WaitOpenBelow(1, kDrainMs);
    });
    watch.join();
    return status;
  }

  const LoadOptions options_;
  const TrackerProcess& tracker_;
  SubmitTimes times_;
  Samples dispatch_ms_;
  std::atomic<bool> timing_dispatch_ = false;
  std::atomic<int64_t> results_ = 0;
  std::vector<std::unique_ptr<LoadUser>> users_;
  LoadReport report_;
};

// Seconds that a new user needs for `count` trials.
StatusOr<double> TimeUser(const std::string& tracker, const std::string& name, int count, SubmitTimes& times) {
  TILTH_ASSIGN_OR_RETURN(const std::unique_ptr<LoadUser> user,
                         LoadUser::Connect(tracker, kMany, name, 0, times, [](const std::string&) {}));
  const double begun = Seconds();
  TILTH_RETURN_IF_ERROR(user->Submit(count));
  TILTH_RETURN_IF_ERROR(user->WaitOpenBelow(1, kDrainMs));
  return Seconds() - begun;
}

}  // namespace

StatusOr<LoadReport> MeasureLoad(const LoadOptions& options, const TrackerProcess& tracker) {
  return LoadTest(options, tracker).Run();
}

StatusOr<FairnessReport> MeasureFairness(const FairnessOptions& options, const TrackerProcess& tracker) {
  constexpr int kBatch = 500;
  SubmitTimes times(kMostTrials);
  SimulatedFleet fleet(tracker.address(), Agents(options.agents, kMany, {options.trial_ms}, 1), nullptr);
  TILTH_RETURN_IF_ERROR(fleet.WaitAttached(kAttachMs));
  FairnessReport report;
  TILTH_ASSIGN_OR_RETURN(report.alone_s, TimeUser(tracker.address(), "second, alone", options.arriving, times));
  TILTH_ASSIGN_OR_RETURN(const std::unique_ptr<LoadUser> first,
                         LoadUser::Connect(tracker.address(), kMany, "first", 0, times, [](const std::string&) {}));
  for (int left = options.queued; left > 0; left -= kBatch) {
    TILTH_RETURN_IF_ERROR(first->Submit(std::min(left, kBatch)));
  }
  TILTH_ASSIGN_OR_RETURN(report.shared_s, TimeUser(tracker.address(), "second", options.arriving, times));
  return report;
}

}  // namespace tilth
