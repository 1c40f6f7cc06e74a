// One thread at a time has the tracker. Calls of clients, messages of agents and the passing of time are queued.
// Whoever queues one while nobody is at work takes a turn: all that wait are applied to the Tracker within one
// transaction, and their effects let out; those that promise something wait until the WriteBehindStore has stored what
// they are about. A thread of the loop's own takes what comes meanwhile, ticks, and waits for a store that has fallen
// behind or failed.
//
// Crash-only: when anything of the store fails, what it has not stored has not happened. Its callers are told so
// (UNAVAILABLE), all streams and waits end the same way, and the tracker is made anew from the store, again and again
// until that works.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "base/clock.h"
#include "base/status.h"
#include "farm/store.h"
#include "farm/tracker.h"
#include "farm/write_behind_store.h"

namespace tilth {

class TrackerLoop {
 public:
  // Fails if the store cannot be read. `store` and `clock` must outlive the loop.
  static StatusOr<std::unique_ptr<TrackerLoop>> Start(const TrackerOptions& options, Store& store, const Clock& clock);
  ~TrackerLoop();  // what is queued is done first
  TrackerLoop(const TrackerLoop&) = delete;
  TrackerLoop& operator=(const TrackerLoop&) = delete;

  // Applies `event` to the tracker, at once or soon, on any thread. `dropped`, if given, is called instead when there
  // is no tracker at the time. From any thread that holds no lock which events or effects take, but not from a promise:
  // the store's thread would wait for itself.
  using Event = absl::AnyInvocable<void(Tracker&)>;
  using Dropped = absl::AnyInvocable<void(const Status&)>;
  void Post(Event event, Dropped dropped = nullptr);

  // The same for an action with an answer, which is given when the action is durable, or has not happened: then it is
  // UNAVAILABLE.
  template <typename Reply>
  void Call(absl::AnyInvocable<Reply(Tracker&)> action, std::function<void(Reply)> answer);

 private:
  struct Item {
    Event event;
    Dropped dropped;
  };

  TrackerLoop(const TrackerOptions& options, Store& store, const Clock& clock)
      : options_(options), clock_(clock), store_(store, options.observer) {}
  void Run();
  // With the lock, which is given up meanwhile; nobody else may be at it.
  void TakeTurn(std::unique_lock<std::mutex>& lock);
  void Apply(std::vector<Item>& batch);
  void Observe(size_t events, int64_t begun_ns);
  // Ends everything that depends on what could not be stored.
  void GoDown(const Status& why);
  void Reload();

  const TrackerOptions options_;
  const Clock& clock_;
  WriteBehindStore store_;
  std::unique_ptr<Tracker> tracker_;  // null: the store has failed, and could not be read since
  Status down_;                       // why it is null
  int64_t next_tick_ns_ = 0, next_gauges_ns_ = 0;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Item> queue_;
  bool busy_ = false;  // somebody has the tracker
  bool stop_ = false;
  std::thread thread_;  // last: it uses the others
};

template <typename Reply>
void TrackerLoop::Call(absl::AnyInvocable<Reply(Tracker&)> action, std::function<void(Reply)> answer) {
  Post(
      [action = std::move(action), answer](Tracker& tracker) mutable {
        tracker.AddEffect([reply = action(tracker), answer = std::move(answer)](const Status& durable) mutable {
          answer(durable.ok() ? std::move(reply) : Reply(durable));
        });
      },
      [answer](const Status& why) { answer(Reply(why)); });
}

}  // namespace tilth
