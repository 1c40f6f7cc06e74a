// The tracker's logic over a fake clock, a store in memory and agents that are only ports.
#include "farm/tracker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/hash.h"
#include "farm/memory_store.h"

namespace tilth {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class FakePort : public AgentPort {
 public:
  void Send(const proto::TrackerMessage& message) override { messages.push_back(message); }
  void Close(const Status& why) override { closed = why; }

  std::vector<proto::Grant> Grants() const {
    std::vector<proto::Grant> grants;
    for (const auto& message : messages) {
      if (message.has_grant()) grants.push_back(message.grant());
    }
    return grants;
  }
  std::vector<std::string> GrantedIds() const {
    std::vector<std::string> ids;
    for (const proto::Grant& grant : Grants()) ids.push_back(grant.trial().trial_id());
    return ids;
  }
  int Acks() const {
    int acks = 0;
    for (const auto& message : messages) acks += message.has_ack() ? 1 : 0;
    return acks;
  }
  int Revokes() const {
    int revokes = 0;
    for (const auto& message : messages) revokes += message.has_revoke() ? 1 : 0;
    return revokes;
  }

  std::vector<proto::TrackerMessage> messages;
  Status closed;
};

// A store whose results cannot be written while `broken`.
class BreakableStore : public MemoryStore {
 public:
  Status PutResult(const std::string& session, const std::string& trial, std::string_view result) override {
    if (broken) return absl::ResourceExhaustedError("the disk is full");
    return MemoryStore::PutResult(session, trial, result);
  }
  bool broken = false;
};

class TrackerTest : public ::testing::Test {
 protected:
  TrackerTest() {
    Restart();
    OpenSession("s");
    blob_hash_ = ContentHash("baseline");
    EXPECT_TRUE(tracker_->PutBlob(blob_hash_, "baseline").ok());
  }

  void Restart() {
    tracker_.reset();
    auto tracker = Tracker::Create(options_, store_, clock_);
    ASSERT_TRUE(tracker.ok()) << tracker.status();
    tracker_ = std::move(*tracker);
  }

  void OpenSession(const std::string& id) {
    proto::OpenSessionRequest request;
    request.set_session_id(id);
    request.set_device_class("c");
    ASSERT_TRUE(tracker_->OpenSession(request).ok());
  }

  StatusOr<int> Submit(const std::vector<std::string>& ids, const std::string& session = "s") {
    proto::SubmitRequest request;
    request.set_session_id(session);
    for (const std::string& id : ids) {
      proto::Trial* trial = request.add_trials();
      trial->set_trial_id(id);
      trial->set_baseline_hash(blob_hash_);
    }
    return tracker_->Submit(request);
  }

  std::shared_ptr<FakePort> Attach(const std::string& agent, int slots = 1,
                                   const std::vector<proto::Lease>& holding = {}) {
    proto::AgentHello hello;
    hello.set_agent_id(agent);
    hello.mutable_device()->set_device_class("c");
    hello.mutable_device()->set_host_name(agent + "-host");
    hello.set_slots(slots);
    for (const proto::Lease& lease : holding) *hello.add_holding() = lease;
    auto port = std::make_shared<FakePort>();
    const Status attached = tracker_->Attach(hello, port);
    EXPECT_TRUE(attached.ok()) << attached;
    return port;
  }

  void Finish(const std::string& agent, const proto::Lease& lease, double median_ns = 1) {
    proto::TrialFinished finished;
    *finished.mutable_lease() = lease;
    finished.mutable_result()->set_median_ns(median_ns);
    finished.set_busy_seconds(0.5);
    tracker_->OnFinished(agent, finished);
  }

  // The results that a client gets now, acknowledging `acknowledged` first.
  std::vector<proto::MeasureResult> Poll(const std::vector<std::string>& acknowledged = {},
                                         const std::string& session = "s") {
    proto::WaitResultsRequest request;
    request.set_session_id(session);
    for (const std::string& id : acknowledged) request.add_acknowledged_trial_ids(id);
    std::vector<proto::MeasureResult> results;
    tracker_->WaitResults(request, [&](StatusOr<proto::WaitResultsReply> reply) {
      ASSERT_TRUE(reply.ok()) << reply.status();
      results.assign(reply->results().begin(), reply->results().end());
    });
    return results;
  }

  void PassLease() {
    clock_.AdvanceMs(options_.lease_ms + 1);
    tracker_->Tick();
  }

  TrackerOptions options_;
  FakeClock clock_;
  BreakableStore store_;
  std::unique_ptr<Tracker> tracker_;
  std::string blob_hash_;
};

TEST_F(TrackerTest, HandsTrialsOutInOrderOneSlotAtATime) {
  ASSERT_EQ(*Submit({"a", "b", "c"}), 3);
  auto port = Attach("x");
  EXPECT_THAT(port->GrantedIds(), ElementsAre("a"));
  Finish("x", port->Grants()[0].lease());
  EXPECT_THAT(port->GrantedIds(), ElementsAre("a", "b"));
  EXPECT_EQ(port->Acks(), 1);
}

TEST_F(TrackerTest, IdleDevicesAreServedBeforeSecondSlots) {
  auto x = Attach("x", 2), y = Attach("y", 2);
  ASSERT_TRUE(Submit({"a", "b", "c"}).ok());
  EXPECT_EQ(x->Grants().size() + y->Grants().size(), 3u);
  EXPECT_GE(x->Grants().size(), 1u);
  EXPECT_GE(y->Grants().size(), 1u);
}

TEST_F(TrackerTest, SubmittingTwiceIsSubmittingOnce) {
  EXPECT_EQ(*Submit({"a", "a"}), 1);
  EXPECT_EQ(*Submit({"a", "b"}), 1);
  auto port = Attach("x", 5);
  EXPECT_THAT(port->GrantedIds(), ElementsAre("a", "b"));
}

TEST_F(TrackerTest, SubmittingNeedsASessionAndTheBaseline) {
  EXPECT_EQ(Submit({"a"}, "unknown").status().code(), absl::StatusCode::kNotFound);
  blob_hash_ = "0123";
  EXPECT_EQ(Submit({"a"}).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(tracker_->PutBlob("0123", "other bytes").code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(TrackerTest, ResultsAreDeliveredUntilTheyAreAcknowledged) {
  ASSERT_TRUE(Submit({"a"}).ok());
  auto port = Attach("x");
  clock_.AdvanceMs(5);
  Finish("x", port->Grants()[0].lease(), 42);
  ASSERT_EQ(Poll().size(), 1u);
  Restart();
  ASSERT_EQ(Poll().size(), 1u);
  EXPECT_EQ(Poll()[0].median_ns(), 42);
  EXPECT_EQ(Poll()[0].agent_id(), "x");
  EXPECT_THAT(Poll({"a"}), IsEmpty());
  Restart();
  EXPECT_THAT(Poll(), IsEmpty());
}

TEST_F(TrackerTest, AWaitEndsWithTheFirstResult) {
  ASSERT_TRUE(Submit({"a"}).ok());
  auto port = Attach("x");
  proto::WaitResultsRequest request;
  request.set_session_id("s");
  request.set_wait_ms(1000);
  int answers = 0, results = 0;
  tracker_->WaitResults(request, [&](StatusOr<proto::WaitResultsReply> reply) {
    ++answers;
    results = reply->results_size();
  });
  EXPECT_EQ(answers, 0);
  Finish("x", port->Grants()[0].lease());
  EXPECT_EQ(answers, 1);
  EXPECT_EQ(results, 1);
}

TEST_F(TrackerTest, AWaitWithoutResultsEndsWithItsTime) {
  proto::WaitResultsRequest request;
  request.set_session_id("s");
  request.set_wait_ms(1000);
  int answers = 0;
  tracker_->WaitResults(request, [&](StatusOr<proto::WaitResultsReply>) { ++answers; });
  clock_.AdvanceMs(999);
  tracker_->Tick();
  EXPECT_EQ(answers, 0);
  clock_.AdvanceMs(1);
  tracker_->Tick();
  EXPECT_EQ(answers, 1);
}

TEST_F(TrackerTest, ExpiredLeaseGoesToAnotherAgentAndTheOldTokenIsWorthless) {
  ASSERT_TRUE(Submit({"a"}).ok());
  auto x = Attach("x"), y = Attach("y");
  const proto::Lease old_lease = x->Grants()[0].lease();
  tracker_->Detach("x", x.get());
  PassLease();
  ASSERT_THAT(y->GrantedIds(), ElementsAre("a"));
  EXPECT_GT(y->Grants()[0].lease().token(), old_lease.token());

  auto back = Attach("x");
  Finish("x", old_lease, 666);
  EXPECT_EQ(back->Acks(), 1) << "the agent must be able to forget it";
  EXPECT_THAT(Poll(), IsEmpty());
  Finish("y", y->Grants()[0].lease(), 42);
  ASSERT_EQ(Poll().size(), 1u);
  EXPECT_EQ(Poll()[0].median_ns(), 42);
  EXPECT_EQ(Poll()[0].attempts(), 2);
}

TEST_F(TrackerTest, HeartbeatsKeepALease) {
  ASSERT_TRUE(Submit({"a"}).ok());
  auto x = Attach("x"), y = Attach("y");
  for (int i = 0; i < 5; ++i) {
    clock_.AdvanceMs(options_.lease_ms / 2);
    proto::Heartbeat heartbeat;
    *heartbeat.add_holding() = x->Grants()[0].lease();
    tracker_->OnHeartbeat("x", heartbeat);
    tracker_->Tick();
  }
  EXPECT_THAT(y->GrantedIds(), IsEmpty());
}

TEST_F(TrackerTest, AnAgentThatComesBackWithItsLeaseKeepsIt) {
  ASSERT_TRUE(Submit({"a"}).ok());
  auto x = Attach("x");
  const proto::Lease lease = x->Grants()[0].lease();
  tracker_->Detach("x", x.get());
  auto back = Attach("x", 1, {lease});
  EXPECT_EQ(x->closed.code(), absl::StatusCode::kOk);
  EXPECT_THAT(back->GrantedIds(), IsEmpty());
  Finish("x", lease);
  EXPECT_EQ(Poll().size(), 1u);
}

TEST_F(TrackerTest, AnAgentThatComesBackWithoutItsLeaseGetsItAnewAtOnce) {
  ASSERT_TRUE(Submit({"a", "b"}).ok());
  auto x = Attach("x", 2);
  auto back = Attach("x", 2);
  EXPECT_FALSE(x->closed.ok());
  EXPECT_EQ(back->Grants().size(), 2u);
}

TEST_F(TrackerTest, LeasesSurviveARestartOfTheTracker) {
  ASSERT_TRUE(Submit({"a", "b"}).ok());
  auto x = Attach("x");
  const proto::Lease lease = x->Grants()[0].lease();
  Restart();
  auto y = Attach("y");
  EXPECT_THAT(y->GrantedIds(), ElementsAre("b"));
  Attach("x", 1, {lease});
  Finish("x", lease, 7);
  ASSERT_EQ(Poll().size(), 1u);
  EXPECT_EQ(Poll()[0].median_ns(), 7);
  EXPECT_GT(y->Grants()[0].lease().token(), lease.token());
}

TEST_F(TrackerTest, ATrialThatTookTwoAgentsDownIsPoison) {
  ASSERT_TRUE(Submit({"a"}).ok());
  for (const char* agent : {"x", "y"}) {
    auto port = Attach(agent);
    ASSERT_THAT(port->GrantedIds(), ElementsAre("a"));
    tracker_->OnStarted(agent, port->Grants()[0].lease());
    tracker_->Detach(agent, port.get());
    PassLease();
  }
  auto z = Attach("z");
  EXPECT_THAT(z->GrantedIds(), IsEmpty());
  ASSERT_EQ(Poll().size(), 1u);
  EXPECT_EQ(Poll()[0].error(), proto::MEASURE_ERROR_RUN_CRASH);
  EXPECT_THAT(Poll()[0].detail(), HasSubstr("2 agents were lost"));
}

TEST_F(TrackerTest, ATrialThatNeverStartsIsGivenUpWithAStatus) {
  ASSERT_TRUE(Submit({"a"}).ok());
  auto x = Attach("x");
  for (int i = 0; i < options_.max_attempts; ++i) {
    ASSERT_EQ(x->Grants().size(), static_cast<size_t>(i) + 1);
    proto::TrialReturned returned;
    *returned.mutable_lease() = x->Grants().back().lease();
    returned.set_reason("no baseline");
    tracker_->OnReturned("x", returned);
  }
  ASSERT_EQ(Poll().size(), 1u);
  EXPECT_EQ(Poll()[0].error(), proto::MEASURE_ERROR_NONE);
  EXPECT_EQ(Poll()[0].status_code(), static_cast<int>(absl::StatusCode::kAborted));
  EXPECT_THAT(Poll()[0].status_message(), HasSubstr("no baseline"));
}

TEST_F(TrackerTest, ADrainingDeviceGetsNothingUntilItIsResumedAlsoOverARestart) {
  auto x = Attach("x");
  ASSERT_EQ(*tracker_->Drain("x-host", false), 1);
  Restart();
  x = Attach("x");
  ASSERT_TRUE(Submit({"a"}).ok());
  EXPECT_THAT(x->GrantedIds(), IsEmpty());
  EXPECT_EQ(tracker_->ListDevices("").devices(0).state(), proto::DEVICE_DRAINING);
  ASSERT_EQ(*tracker_->Drain("x", true), 1);
  EXPECT_THAT(x->GrantedIds(), ElementsAre("a"));
  EXPECT_EQ(tracker_->Drain("nobody", false).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(TrackerTest, SessionsTakeTurns) {
  OpenSession("t");
  ASSERT_TRUE(Submit({"s1", "s2", "s3"}).ok());
  ASSERT_TRUE(Submit({"t1", "t2"}, "t").ok());
  auto x = Attach("x", 4);
  EXPECT_THAT(x->GrantedIds(), ElementsAre("s1", "t1", "s2", "t2"));
}

TEST_F(TrackerTest, CancelledTrialsAreRevokedAndGiveNoResult) {
  ASSERT_TRUE(Submit({"a", "b"}).ok());
  auto x = Attach("x");
  proto::CancelRequest request;
  request.set_session_id("s");
  EXPECT_EQ(*tracker_->Cancel(request), 2);
  EXPECT_EQ(x->Revokes(), 1);
  Finish("x", x->Grants()[0].lease());
  EXPECT_EQ(x->Acks(), 1);
  EXPECT_THAT(Poll(), IsEmpty());
}

TEST_F(TrackerTest, AResultThatCannotBeStoredIsNotAcknowledged) {
  ASSERT_TRUE(Submit({"a"}).ok());
  auto x = Attach("x");
  const proto::Lease lease = x->Grants()[0].lease();
  store_.broken = true;
  Finish("x", lease, 9);
  EXPECT_EQ(x->Acks(), 0);
  EXPECT_THAT(std::string(x->closed.message()), HasSubstr("disk is full"));
  EXPECT_THAT(Poll(), IsEmpty());

  store_.broken = false;
  auto back = Attach("x", 1, {lease});
  Finish("x", lease, 9);
  EXPECT_EQ(back->Acks(), 1);
  EXPECT_EQ(Poll().size(), 1u);
}

TEST_F(TrackerTest, TheSessionOfAClientThatHasGoneIsDropped) {
  ASSERT_TRUE(Submit({"a"}).ok());
  clock_.AdvanceMs(options_.session_timeout_ms + 1);
  tracker_->Tick();
  EXPECT_EQ(Submit({"b"}).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(tracker_->GetBlob(blob_hash_).status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(store_.Load()->sessions.empty());
}

TEST_F(TrackerTest, AgentsMustShowTheEnrolmentToken) {
  options_.enrolment_token = "secret";
  Restart();
  proto::AgentHello hello;
  hello.set_agent_id("x");
  hello.mutable_device()->set_device_class("c");
  hello.set_enrolment_token("guess");
  EXPECT_EQ(tracker_->Attach(hello, std::make_shared<FakePort>()).code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(TrackerTest, DevicesAndJobsSayWhatHappens) {
  ASSERT_TRUE(Submit({"a", "b", "c"}).ok());
  auto x = Attach("x");
  Finish("x", x->Grants()[0].lease());
  const proto::JobStatus job = tracker_->ListJobs().jobs(0);
  EXPECT_EQ(job.queued(), 1);
  EXPECT_EQ(job.running(), 1);
  EXPECT_EQ(job.undelivered(), 1);
  const proto::DeviceStatus device = tracker_->ListDevices("c").devices(0);
  EXPECT_EQ(device.state(), proto::DEVICE_BUSY);
  EXPECT_EQ(device.trials_done(), 1);
  EXPECT_EQ(device.busy_seconds(), 0.5);
  EXPECT_EQ(tracker_->ListDevices("other").devices_size(), 0);
  tracker_->Detach("x", x.get());
  EXPECT_EQ(tracker_->ListDevices("c").devices(0).state(), proto::DEVICE_OFFLINE);
}

}  // namespace
}  // namespace tilth
