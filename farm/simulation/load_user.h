// One user of a farm under load: a client that submits trials which simulated agents pretend to carry out.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/status.h"
#include "farm/client.h"

namespace tilth {

// When each trial of a load test was submitted; its id says which one it is. Thread-safe without locks.
class SubmitTimes {
 public:
  explicit SubmitTimes(size_t capacity)
      : times_ns_(std::make_unique<std::atomic<int64_t>[]>(capacity)), capacity_(capacity) {}

  // The id of the next trial; empty when there are none left.
  std::string Next();
  void Set(const std::string& trial_id, int64_t time_ns);
  // 0: never, or no trial of ours.
  int64_t Get(const std::string& trial_id) const;

 private:
  std::atomic<int64_t>* Find(const std::string& trial_id) const;

  std::unique_ptr<std::atomic<int64_t>[]> times_ns_;
  const size_t capacity_;
  std::atomic<size_t> next_ = 0;
};

// Results are collected by a thread of its own as long as it lives.
class LoadUser {
 public:
  // `on_result` is called on that thread.
  static StatusOr<std::unique_ptr<LoadUser>> Connect(const std::string& tracker, const std::string& device_class,
                                                     const std::string& name, size_t artifact_bytes, SubmitTimes& times,
                                                     std::function<void(const std::string& trial_id)> on_result);
  ~LoadUser();
  LoadUser(const LoadUser&) = delete;
  LoadUser& operator=(const LoadUser&) = delete;

  // Submits `count` new trials in one call; their time of submission is `due_ns`, or now if that is 0.
  Status Submit(int count, int64_t due_ns = 0);
  // Submitted and not answered.
  int64_t open() const { return open_; }
  // Until fewer than `count` are open, or the client has failed; kDeadlineExceeded.
  Status WaitOpenBelow(int64_t count, int64_t timeout_ms);

 private:
  LoadUser(std::unique_ptr<FarmClient> client, SubmitTimes& times, std::function<void(const std::string&)> on_result);
  void Collect();

  const std::unique_ptr<FarmClient> client_;
  SubmitTimes& times_;
  const std::function<void(const std::string&)> on_result_;
  std::string baseline_hash_, artifact_;
  std::atomic<int64_t> open_ = 0;
  std::atomic<bool> stop_ = false;
  std::mutex mutex_;
  std::condition_variable answered_;
  Status failure_;  // under mutex_
  std::thread collector_;
};

}  // namespace tilth
