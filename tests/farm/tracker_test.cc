// The tracker's logic over a fake clock, a store in memory and agents that are only ports.
#include "farm/tracker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "base/hash.h"
#include "farm/memory_store.h"

namespace tilth {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class FakePort : public AgentPort {
 public:
  void Send(proto::TrackerMessage message) override { messages.push_back(std::move(message)); }
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

class TrackerTest : public ::testing::Test {
 protected:
  TrackerTest() {
    Restart();
    OpenSession("s");
  }

  // The tracker for one call, whose effects are let out at the end of the statement, as after a commit.
  class Settled {
   public:
    explicit Settled(Tracker* tracker) : tracker_(tracker) {}
    ~Settled() {
      EXPECT_TRUE(tracker_->failure().ok()) << tracker_->failure();
      for (Tracker::Effect& effect : tracker_->TakeEffects()) effect(absl::OkStatus());
    }
    Tracker* operator->() const { return tracker_; }

   private:
    Tracker* tracker_;
  };
  Settled tracker() { return Settled(tracker_.get()); }

  void Restart() {
    tracker_.reset();
    auto tracker = Tracker::Create(options_, store_, clock_);
    ASSERT_TRUE(tracker.ok()) << tracker.status();
    tracker_ = std::move(*tracker);
  }

  void OpenSession(const std::string& id, const std::string& user = "") {
    proto::OpenSessionRequest request;
    request.set_session_id(id);
    request.set_user(user);
    request.set_device_class("c");
    ASSERT_TRUE(tracker()->OpenSession(request).ok());
  }

  // Of trials with one baseline, and an artifact each, of which `blobs` says whether they come along.
  static proto::SubmitRequest Trials(const std::vector<std::string>& ids, const std::string& session, bool blobs) {
    proto::SubmitRequest request;
    request.set_session_id(session);
    for (const std::string& id : ids) {
      proto::Trial* trial = request.add_trials();
      trial->set_trial_id(id);
      trial->set_artifact_hash(ContentHash(id));
      trial->set_baseline_hash(ContentHash("baseline"));
      for (const std::string& hash : {trial->artifact_hash(), trial->baseline_hash()}) {
        if (!blobs) break;
        request.add_blobs()->set_hash(hash);
        request.mutable_blobs()->rbegin()->set_data(StrCat("frame of ", hash));
      }
    }
    return request;
  }

  StatusOr<int> Submit(const std::vector<std::string>& ids, const std::string& session = "s", bool blobs = true) {
    return tracker()->Submit(Trials(ids, session, blobs));
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
    const Status attached = tracker()->Attach(hello, port);
    EXPECT_TRUE(attached.ok()) << attached;
    ports_[agent] = port;
    return port;
  }

  void Say(const std::string& agent, const proto::AgentMessage& message) {
    tracker()->OnMessage(agent, ports_[agent].get(), message);
  }

  void Start(const std::string& agent, const proto::Lease& lease) {
    proto::AgentMessage message;
    *message.mutable_started()->mutable_lease() = lease;
    Say(agent, message);
  }

  void GiveBack(const std::string& agent, const proto::Lease& lease, const std::string& reason) {
    proto::AgentMessage message;
    *message.mutable_returned()->mutable_lease() = lease;
    message.mutable_returned()->set_reason(reason);
    Say(agent, message);
  }

  void Beat(const std::string& agent, const std::vector<proto::Lease>& holding) {
    proto::AgentMessage message;
    message.mutable_heartbeat();
    for (const proto::Lease& lease : holding) *message.mutable_heartbeat()->add_holding() = lease;
    Say(agent, message);
  }

  void Finish(const std::string& agent, const proto::Lease& lease, double median_ns = 1) {
    proto::AgentMessage message;
    *message.mutable_finished()->mutable_lease() = lease;
    message.mutable_finished()->mutable_result()->set_median_ns(median_ns);
    message.mutable_finished()->set_busy_seconds(0.5);
    Say(agent, message);
  }

  // The results that a client gets now, acknowledging `acknowledged` first.
  std::vector<proto::MeasureResult> Poll(const std::vector<std::string>& acknowledged = {},
                                         const std::string& session = "s") {
    proto::WaitResultsRequest request;
    request.set_session_id(session);
    for (const std::string& id : acknowledged) request.add_acknowledged_trial_ids(id);
    std::vector<proto::MeasureResult> results;
    tracker()->WaitResults(request, [&](StatusOr<proto::WaitResultsReply> reply) {
      ASSERT_TRUE(reply.ok()) << reply.status();
      results.assign(reply->results().begin(), reply->results().end());
    });
    return results;
  }

  StatusOr<int> SetDevice(const std::string& device, proto::SetDeviceRequest::Change change,
                          const std::string& user = "") {
    proto::SetDeviceRequest request;
    request.set_device(device);
    request.set_change(change);
    request.set_user(user);
    return tracker()->SetDevice(request);
  }

  void PassLease() {
    clock_.AdvanceMs(options_.lease_ms + 1);
    tracker()->Tick();
  }

  TrackerOptions options_;
  FakeClock clock_;
  MemoryStore store_;
  std::unique_ptr<Tracker> tracker_;
  std::map<std::string, std::shared_ptr<FakePort>> ports_;  // by agent id, the newest
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

TEST_F(TrackerTest, SubmittingNeedsASessionAndTheBlobs) {
  EXPECT_EQ(Submit({"a"}, "unknown").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Submit({"a"}, "s", /*blobs=*/false).status().code(), absl::StatusCode::kFailedPrecondition);
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
  tracker()->WaitResults(request, [&](StatusOr<proto::WaitResultsReply> reply) {
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
  tracker()->WaitResults(request, [&](StatusOr<proto::WaitResultsReply>) { ++answers; });
  clock_.AdvanceMs(999);
  tracker()->Tick();
  EXPECT_EQ(answers, 0);
  clock_.AdvanceMs(1);
  tracker()->Tick();
  EXPECT_EQ(answers, 1);
}

TEST_F(TrackerTest, ExpiredLeaseGoesToAnotherAgentAndTheOldTokenIsWorthless) {
  ASSERT_TRUE(Submit({"a"}).ok());
  auto x = Attach("x"), y = Attach("y");
  const proto::Lease old_lease = x->Grants()[0].lease();
  tracker()->Detach("x", x.get());
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
    Beat("x", {x->Grants()[0].lease()});
    tracker()->Tick();
  }
  EXPECT_THAT(y->GrantedIds(), IsEmpty());
}

TEST_F(TrackerTest, AnAgentThatComesBackWithItsLeaseKeepsIt) {
  ASSERT_TRUE(Submit({"a"}).ok());
  auto x = Attach("x");
  const proto::Lease lease = x->Grants()[0].lease();
  tracker()->Detach("x", x.get());
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
    Start(agent, port->Grants()[0].lease());
    tracker()->Detach(agent, port.get());
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
    GiveBack("x", x->Grants().back().lease(), "no baseline");
  }
  ASSERT_EQ(Poll().size(), 1u);
  EXPECT_EQ(Poll()[0].error(), proto::MEASURE_ERROR_NONE);
  EXPECT_EQ(Poll()[0].status_code(), static_cast<int>(absl::StatusCode::kAborted));
  EXPECT_THAT(Poll()[0].status_message(), HasSubstr("no baseline"));
}

TEST_F(TrackerTest, ADrainingDeviceGetsNothingUntilItIsResumedAlsoOverARestart) {
  auto x = Attach("x");
  ASSERT_EQ(*SetDevice("x-host", proto::SetDeviceRequest::DRAIN), 1);
  Restart();
  x = Attach("x");
  ASSERT_TRUE(Submit({"a"}).ok());
  EXPECT_THAT(x->GrantedIds(), IsEmpty());
  EXPECT_EQ(tracker()->ListDevices("").devices(0).state(), proto::DEVICE_CORDONED);
  ASSERT_EQ(*SetDevice("x", proto::SetDeviceRequest::RESUME), 1);
  EXPECT_THAT(x->GrantedIds(), ElementsAre("a"));
  EXPECT_EQ(SetDevice("nobody", proto::SetDeviceRequest::DRAIN).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(TrackerTest, UsersTakeTurns) {
  OpenSession("t", "another");
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
  EXPECT_EQ(*tracker()->Cancel(request), 2);
  EXPECT_EQ(x->Revokes(), 1);
  Finish("x", x->Grants()[0].lease());
  EXPECT_EQ(x->Acks(), 1);
  EXPECT_THAT(Poll(), IsEmpty());
}

TEST_F(TrackerTest, TheSessionOfAClientThatHasGoneIsDropped) {
  ASSERT_TRUE(Submit({"a"}).ok());
  clock_.AdvanceMs(options_.session_timeout_ms + 1);
  tracker()->Tick();
  EXPECT_EQ(Submit({"b"}).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(tracker()->GetBlob(ContentHash("baseline")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(store_.Load()->sessions.empty());
  EXPECT_TRUE(store_.Load()->blob_hashes.empty());
}

TEST_F(TrackerTest, DevicesAndJobsSayWhatHappens) {
  ASSERT_TRUE(Submit({"a", "b", "c"}).ok());
  auto x = Attach("x");
  Finish("x", x->Grants()[0].lease());
  const proto::JobStatus job = tracker()->ListJobs().jobs(0);
  EXPECT_EQ(job.queued(), 1);
  EXPECT_EQ(job.running(), 1);
  EXPECT_EQ(job.undelivered(), 1);
  const proto::DeviceStatus device = tracker()->ListDevices("c").devices(0);
  EXPECT_EQ(device.state(), proto::DEVICE_BUSY);
  EXPECT_EQ(device.trials_done(), 1);
  EXPECT_EQ(device.busy_seconds(), 0.5);
  EXPECT_EQ(tracker()->ListDevices("other").devices_size(), 0);
  tracker()->Detach("x", x.get());
  EXPECT_EQ(tracker()->ListDevices("c").devices(0).state(), proto::DEVICE_OFFLINE);
}

}  // namespace
}  // namespace tilth
