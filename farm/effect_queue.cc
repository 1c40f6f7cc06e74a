#include "farm/effect_queue.h"

#include <iterator>

#include "base/clock.h"

namespace tilth {

EffectQueue::EffectQueue(Store& store, TrackerObserver* observer)
    : store_(store), observer_(observer), thread_([this] { Run(); }) {}

EffectQueue::~EffectQueue() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void EffectQueue::Add(std::vector<Tracker::Effect> effects) {
  if (effects.empty()) return;
  std::lock_guard lock(mutex_);
  waiting_.insert(waiting_.end(), std::make_move_iterator(effects.begin()), std::make_move_iterator(effects.end()));
  wake_.notify_one();
}

Status EffectQueue::failure() const {
  std::lock_guard lock(mutex_);
  return failure_;
}

void EffectQueue::Restart(const Status& error) {
  std::vector<Tracker::Effect> effects;
  {
    std::lock_guard lock(mutex_);
    failure_ = absl::OkStatus();
    effects = Take();
  }
  for (Tracker::Effect& effect : effects) effect(error);
}

void EffectQueue::Run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stop_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    std::vector<Tracker::Effect> effects = Take();
    Status status = failure_;
    lock.unlock();
    if (status.ok()) status = Sync();
    for (Tracker::Effect& effect : effects) effect(status);
    lock.lock();
  }
}

Status EffectQueue::Sync() {
  const int64_t begun_ns = SystemClock().NowNs();
  const Status synced = store_.Sync();
  if (observer_ != nullptr) observer_->OnSynced(SystemClock().NowNs() - begun_ns);
  if (synced.ok()) return synced;
  std::lock_guard lock(mutex_);
  failure_ = StoreFailure(synced);
  return failure_;
}

}  // namespace tilth
