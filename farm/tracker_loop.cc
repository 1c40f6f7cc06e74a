#include "farm/tracker_loop.h"

#include <chrono>
#include <utility>

#include "base/logging.h"

namespace tilth {
namespace {

constexpr std::chrono::milliseconds kTick{50};
constexpr std::chrono::seconds kGauges{1};

}  // namespace

StatusOr<std::unique_ptr<TrackerLoop>> TrackerLoop::Start(const TrackerOptions& options, Store& store,
                                                          const Clock& clock) {
  std::unique_ptr<TrackerLoop> loop(new TrackerLoop(options, store, clock));
  TILTH_ASSIGN_OR_RETURN(loop->tracker_, Tracker::Create(options, loop->store_, clock));
  loop->thread_ = std::thread([started = loop.get()] { started->Run(); });
  return loop;
}

TrackerLoop::~TrackerLoop() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void TrackerLoop::Post(Event event, Dropped dropped) {
  std::unique_lock lock(mutex_);
  queue_.push_back({std::move(event), std::move(dropped)});
  if (busy_) return;
  // Waiting for the store is not for a thread that has other things to do.
  if (tracker_ != nullptr && store_.Ready()) TakeTurn(lock);
  if (!queue_.empty()) wake_.notify_one();
}

void TrackerLoop::Run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait_for(lock, kTick, [this] { return !busy_ && (stop_ || !queue_.empty()); });
    if (busy_) continue;
    if (stop_ && queue_.empty()) break;
    TakeTurn(lock);
  }
  if (tracker_ != nullptr) tracker_->Abandon(absl::UnavailableError("the tracker ends"));
}

void TrackerLoop::TakeTurn(std::unique_lock<std::mutex>& lock) {
  busy_ = true;
  lock.unlock();
  if (const Status failure = store_.failure(); tracker_ != nullptr && !failure.ok()) GoDown(failure);
  if (tracker_ == nullptr) Reload();
  // It may take long. So the batch is taken after it: heartbeats that have come meanwhile are heard before leases
  // expire.
  if (tracker_ != nullptr) TILTH_CHECK(store_.Begin().ok());
  lock.lock();
  std::vector<Item> batch = std::exchange(queue_, {});
  lock.unlock();
  Apply(batch);
  batch.clear();
  lock.lock();
  busy_ = false;
}

void TrackerLoop::Apply(std::vector<Item>& batch) {
  if (tracker_ == nullptr) {
    for (Item& item : batch) {
      if (item.dropped) item.dropped(down_);
    }
    return;
  }
  const int64_t begun_ns = clock_.NowNs();
  for (Item& item : batch) item.event(*tracker_);
  if (clock_.NowNs() >= next_tick_ns_) {
    tracker_->Tick();
    next_tick_ns_ = clock_.NowNs() + std::chrono::nanoseconds(kTick).count();
  }
  if (!tracker_->failure().ok()) return GoDown(StoreFailure(tracker_->failure()));
  if (options_.observer != nullptr) Observe(batch.size(), begun_ns);
  Tracker::Effects effects = tracker_->TakeEffects();
  std::vector<Tracker::Effect> promises = std::exchange(effects.durable, {});
  effects.LetOut(absl::OkStatus());
  store_.Commit(std::move(promises));
}

void TrackerLoop::Observe(size_t events, int64_t begun_ns) {
  const int64_t now_ns = clock_.NowNs();
  if (events > 0) options_.observer->OnApplied(events, now_ns - begun_ns);
  if (now_ns < next_gauges_ns_) return;
  options_.observer->OnGauges(tracker_->Gauges());
  next_gauges_ns_ = now_ns + std::chrono::nanoseconds(kGauges).count();
}

void TrackerLoop::GoDown(const Status& why) {
  LogError("going back to what is stored: ", why.message());
  down_ = why;
  tracker_->Abandon(down_);
  tracker_->TakeEffects().LetOut(down_);
  tracker_.reset();
  store_.GoBack(down_);
}

void TrackerLoop::Reload() {
  StatusOr<std::unique_ptr<Tracker>> tracker = Tracker::Create(options_, store_, clock_);
  if (tracker.ok()) {
    tracker_ = *std::move(tracker);
    LogError("the tracker goes on from what is stored");
    return;
  }
  // This is tried many times a second.
  const Status before = std::exchange(down_, StoreFailure(tracker.status()));
  if (down_ != before) LogError(ToStd(down_.message()));
}

}  // namespace tilth
