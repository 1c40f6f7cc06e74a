// The loop over a store that fails: nobody is told of what is not durable.
#include "farm/tracker_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <thread>

#include "base/hash.h"
#include "farm/memory_store.h"

namespace tilth {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Fails where it is told to, as a full disk or a broken one does.
class BreakableStore : public MemoryStore {
 public:
  Status Begin() override { return broken_begin ? Broken() : MemoryStore::Begin(); }
  Status Commit() override {
    while (hold_commit) std::this_thread::yield();
    ++commits;
    return broken_commit ? Broken() : MemoryStore::Commit();
  }
  StatusOr<StoredContents> Load() override {
    if (broken_load) return Broken();
    return MemoryStore::Load();
  }
  Status PutResult(const std::string& session, const std::string& trial, std::string_view result) override {
    return broken_results ? Broken() : MemoryStore::PutResult(session, trial, result);
  }

  std::atomic<bool> broken_begin = false, broken_commit = false, hold_commit = false, broken_load = false,
                    broken_results = false;
  std::atomic<int> commits = 0;

 private:
  static Status Broken() { return absl::ResourceExhaustedError("the disk is full"); }
};

class Port : public AgentPort {
 public:
  void Send(proto::TrackerMessage message) override {
    std::lock_guard lock(mutex_);
    messages_.push_back(std::move(message));
  }
  void Close(const Status& why) override {
    std::lock_guard lock(mutex_);
    closed_ = why;
  }
  std::vector<proto::TrackerMessage> messages() {
    std::lock_guard lock(mutex_);
    return messages_;
  }
  bool HasAck() {
    const auto sent = messages();
    return std::any_of(sent.begin(), sent.end(), [](const auto& message) { return message.has_ack(); });
  }
  Status closed() {
    std::lock_guard lock(mutex_);
    return closed_;
  }

 private:
  std::mutex mutex_;
  std::vector<proto::TrackerMessage> messages_;
  Status closed_;
};

// Time passes, and leaps.
class LeapingClock : public Clock {
 public:
  int64_t NowNs() const override { return SystemClock().NowNs() + leap_ns; }
  int64_t WallMs() const override { return SystemClock().WallMs() + leap_ns / 1'000'000; }
  std::atomic<int64_t> leap_ns = 0;
};

class TrackerLoopTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto loop = TrackerLoop::Start({}, store_, clock_);
    ASSERT_TRUE(loop.ok()) << loop.status();
    loop_ = *std::move(loop);
    ASSERT_TRUE(OpenSession("s").ok());
  }

  template <typename Reply>
  Reply Call(std::function<Reply(Tracker&)> action) {
    std::promise<Reply> promise;
    loop_->Call<Reply>(action, [&](Reply reply) { promise.set_value(std::move(reply)); });
    return promise.get_future().get();
  }

  Status OpenSession(const std::string& id) {
    proto::OpenSessionRequest request;
    request.set_session_id(id);
    request.set_device_class("c");
    return Call<Status>([=](Tracker& tracker) { return tracker.OpenSession(request); });
  }

  StatusOr<int> Submit(const std::string& id) {
    proto::SubmitRequest request;
    request.set_session_id("s");
    proto::Trial* trial = request.add_trials();
    trial->set_trial_id(id);
    trial->set_artifact_hash(ContentHash(id));
    trial->set_baseline_hash(ContentHash("baseline"));
    for (const std::string& hash : {trial->artifact_hash(), trial->baseline_hash()}) {
      request.add_blobs()->set_hash(hash);
    }
    return Call<StatusOr<int>>([=](Tracker& tracker) { return tracker.Submit(request); });
  }

  std::shared_ptr<Port> Attach(const std::vector<proto::Lease>& holding = {}) {
    auto port = std::make_shared<Port>();
    proto::AgentHello hello;
    hello.set_agent_id("x");
    hello.mutable_device()->set_device_class("c");
    hello.set_slots(4);
    for (const proto::Lease& lease : holding) *hello.add_holding() = lease;
    const Status attached = Call<Status>([=](Tracker& tracker) { return tracker.Attach(hello, port); });
    EXPECT_TRUE(attached.ok()) << attached;
    // Attach's answer and the grants that it brings come from two threads. The next call finds both done.
    EXPECT_TRUE(Call<Status>([](Tracker&) { return absl::OkStatus(); }).ok());
    return port;
  }

  Status Finish(const std::shared_ptr<Port>& port, const proto::Lease& lease) {
    proto::AgentMessage message;
    *message.mutable_finished()->mutable_lease() = lease;
    return Call<Status>([=](Tracker& tracker) {
      tracker.OnMessage("x", port.get(), message);
      return absl::OkStatus();
    });
  }

  StatusOr<proto::WaitResultsReply> Wait(int wait_ms) {
    proto::WaitResultsRequest request;
    request.set_session_id("s");
    request.set_wait_ms(wait_ms);
    auto promise = std::make_shared<std::promise<StatusOr<proto::WaitResultsReply>>>();
    const auto answer = [promise](StatusOr<proto::WaitResultsReply> reply) { promise->set_value(std::move(reply)); };
    loop_->Post([=](Tracker& tracker) { tracker.WaitResults(request, answer); }, answer);
    return promise->get_future().get();
  }

  BreakableStore store_;
  LeapingClock clock_;
  std::unique_ptr<TrackerLoop> loop_;
};

TEST_F(TrackerLoopTest, AResultThatCannotBeStoredIsNotAcknowledgedAndCountsWhenItComesAgain) {
  ASSERT_TRUE(Submit("a").ok());
  auto port = Attach();
  ASSERT_EQ(port->messages().size(), 2u);
  const proto::Lease lease = port->messages()[1].grant().lease();
  store_.broken_results = true;
  EXPECT_EQ(Finish(port, lease).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(port->messages().size(), 2u) << "no acknowledgement";
  while (port->closed().ok()) std::this_thread::yield();
  EXPECT_EQ(port->closed().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(port->closed().message()), HasSubstr("disk is full"));

  store_.broken_results = false;
  auto back = Attach({lease});
  ASSERT_TRUE(Finish(back, lease).ok());
  EXPECT_TRUE(back->HasAck());
  const auto results = Wait(0);
  ASSERT_TRUE(results.ok()) << results.status();
  EXPECT_EQ(results->results_size(), 1);
}

TEST_F(TrackerLoopTest, TrialsOfAFailedCommitAreNotThere) {
  store_.broken_commit = true;
  const Status refused = Submit("a").status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("disk is full"));
  store_.broken_commit = false;
  EXPECT_EQ(*Submit("a"), 1);
  EXPECT_EQ(*Submit("a"), 0);
}

TEST_F(TrackerLoopTest, AGrantThatCouldNotBeStoredIsRevoked) {
  auto port = Attach();
  store_.broken_commit = true;
  EXPECT_FALSE(Submit("a").ok());
  store_.broken_commit = false;
  ASSERT_EQ(port->messages().size(), 2u) << "it did not wait for the store";
  const proto::Lease lease = port->messages()[1].grant().lease();
  while (!OpenSession("other").ok()) std::this_thread::yield();
  EXPECT_EQ(port->closed().code(), absl::StatusCode::kUnavailable);
  auto back = Attach({lease});
  ASSERT_EQ(back->messages().size(), 2u);
  EXPECT_EQ(back->messages()[1].revoke().lease().token(), lease.token());
  // What was measured meanwhile is of no trial that anybody waits for.
  EXPECT_TRUE(Finish(back, lease).ok());
  EXPECT_EQ(Wait(0)->results_size(), 0);
}

TEST_F(TrackerLoopTest, NothingIsPromisedOfWhatCouldNotBeStored) {
  ASSERT_TRUE(Submit("a").ok());
  auto port = Attach();
  const proto::Lease lease = port->messages().at(1).grant().lease();
  store_.broken_commit = true;
  const Status refused = Submit("b").status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("disk is full"));
  store_.broken_commit = false;
  // The tracker goes back to what is stored, and its agents have to come back.
  while (!Submit("c").ok()) std::this_thread::yield();
  EXPECT_EQ(port->closed().code(), absl::StatusCode::kUnavailable);
  auto back = Attach({lease});
  ASSERT_TRUE(Finish(back, lease).ok());
  EXPECT_TRUE(back->HasAck());
}

TEST_F(TrackerLoopTest, ResultsDoNotWaitForTheDiskAndAcknowledgementsDo) {
  ASSERT_TRUE(Submit("a").ok());
  auto port = Attach();
  const proto::Lease lease = port->messages().at(1).grant().lease();
  store_.hold_commit = true;
  auto finished = std::async(std::launch::async, [&] { return Finish(port, lease); });
  const auto results = Wait(60'000);
  ASSERT_TRUE(results.ok()) << results.status();
  EXPECT_EQ(results->results_size(), 1);
  EXPECT_FALSE(port->HasAck());
  store_.hold_commit = false;
  ASSERT_TRUE(finished.get().ok());
  EXPECT_TRUE(port->HasAck());
}

TEST_F(TrackerLoopTest, HeartbeatsThatComeWhileTheDiskStandsStillKeepTheirLeases) {
  ASSERT_TRUE(Submit("a").ok());
  auto port = Attach();
  const proto::Lease lease = port->messages().at(1).grant().lease();

  store_.hold_commit = true;
  proto::SubmitRequest much;
  much.set_session_id("s");
  much.add_trials()->set_trial_id("b");
  much.mutable_trials(0)->set_artifact_hash(ContentHash("b"));
  much.mutable_trials(0)->set_baseline_hash(ContentHash("baseline"));
  for (const std::string& hash : {ContentHash("b"), ContentHash("baseline")}) {
    much.add_blobs()->set_hash(hash);
    much.mutable_blobs()->rbegin()->set_data(std::string(size_t{70} << 20, 'x'));
  }
  loop_->Post([&](Tracker& tracker) { EXPECT_TRUE(tracker.Submit(much).ok()); });
  // From now on the store is waited for.
  clock_.leap_ns += 1'000'000 * (TrackerOptions().lease_ms + 1);
  loop_->Post([](Tracker&) {});
  proto::AgentMessage beat;
  *beat.mutable_heartbeat()->add_holding() = lease;
  loop_->Post([=](Tracker& tracker) { tracker.OnMessage("x", port.get(), beat); });
  store_.hold_commit = false;
  ASSERT_TRUE(Finish(port, lease).ok());
  EXPECT_EQ(Wait(0)->results_size(), 1) << "its lease has expired";
}

TEST_F(TrackerLoopTest, AWaitThatHadBegunEndsWithTheFailure) {
  proto::WaitResultsRequest request;
  request.set_session_id("s");
  request.set_wait_ms(60'000);
  std::promise<Status> waited;
  loop_->Post([&](Tracker& tracker) {
    tracker.WaitResults(request, [&](const auto& reply) { waited.set_value(reply.status()); });
  });
  store_.broken_commit = true;
  EXPECT_FALSE(Submit("a").ok());
  EXPECT_EQ(waited.get_future().get().code(), absl::StatusCode::kUnavailable);
}

TEST_F(TrackerLoopTest, AStoreThatCannotBeReadMakesTheTrackerUnavailableUntilItCan) {
  ASSERT_TRUE(Submit("a").ok());
  store_.broken_begin = store_.broken_load = true;
  EXPECT_EQ(Submit("b").status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Submit("b").status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Wait(0).status().code(), absl::StatusCode::kUnavailable);
  store_.broken_begin = store_.broken_load = false;
  EXPECT_EQ(*Submit("a"), 0);
  EXPECT_EQ(*Submit("b"), 1);
}

TEST_F(TrackerLoopTest, WhatComesAtOnceIsCommittedTogether) {
  // The first event holds the loop until all others wait behind it.
  std::promise<void> begun, go;
  std::thread first([&] {
    loop_->Post([&](Tracker&) {
      begun.set_value();
      go.get_future().wait();
    });
  });
  begun.get_future().wait();
  const int before = store_.commits;
  std::atomic<int> answers = 0;
  std::promise<void> all;
  constexpr int kCalls = 200;
  for (int i = 0; i < kCalls; ++i) {
    loop_->Call<Status>(
        [i](Tracker& tracker) {
          proto::OpenSessionRequest request;
          request.set_session_id(StrCat("s", i));
          request.set_device_class("c");
          return tracker.OpenSession(request);
        },
        [&](const Status& opened) {
          EXPECT_TRUE(opened.ok());
          if (++answers == kCalls) all.set_value();
        });
  }
  go.set_value();
  first.join();
  all.get_future().wait();
  EXPECT_LE(store_.commits - before, 10);
}

}  // namespace
}  // namespace tilth
