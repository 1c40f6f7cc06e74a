// Effects that wait for the disk. A thread of its own syncs the store and lets out whatever was waiting when it began:
// one sync serves all batches that were committed while the last one was under way, and the tracker does not wait.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/status.h"
#include "farm/store.h"
#include "farm/tracker.h"
#include "farm/tracker_observer.h"

namespace tilth {

class EffectQueue {
 public:
  // `store` and `observer`, which may be null, must outlive the queue.
  EffectQueue(Store& store, TrackerObserver* observer);
  ~EffectQueue();  // those that wait are let out first, as always
  EffectQueue(const EffectQueue&) = delete;
  EffectQueue& operator=(const EffectQueue&) = delete;

  // Of what has been committed. They are called in order, by the queue's thread, once that survives a power cut; with
  // an error (UNAVAILABLE) if it does not.
  void Add(std::vector<Tracker::Effect> effects);

  // OK, or that a sync has failed. What was committed may be lost, so nothing that rests on it may be promised: from
  // then on every effect gets this error.
  Status failure() const;
  // For a tracker that is made anew from the store. Effects that wait get the error of the last one.
  void Restart(const Status& error);

 private:
  void Run();
  Status Sync();
  std::vector<Tracker::Effect> Take() { return std::exchange(waiting_, {}); }

  Store& store_;
  TrackerObserver* const observer_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Tracker::Effect> waiting_;
  Status failure_;
  bool stop_ = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace tilth
