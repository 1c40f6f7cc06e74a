// Sessions, leases and results: the life of a trial.
#include "farm/tracker_fixture.h"

namespace tilth {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

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
  EXPECT_EQ(back->Acks(), 0) << "it is not kept";
  EXPECT_EQ(back->Revokes(), 1) << "the agent must be able to forget it";
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

TEST_F(TrackerTest, AResultIsTheSameWhicheverTrackerTakesIt) {
  ASSERT_TRUE(Submit({"a", "b"}).ok());
  clock_.AdvanceMs(50);
  auto x = Attach("x", 2);
  const proto::Lease a = x->Grants()[0].lease(), b = x->Grants()[1].lease();
  Finish("x", a);
  Restart();
  Attach("x", 2, {a, b});
  Finish("x", b);
  const auto results = Poll();
  ASSERT_THAT(results, SizeIs(2));
  EXPECT_EQ(results[0].queue_ms(), 50);
  EXPECT_EQ(results[1].queue_ms(), 50);
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

TEST_F(TrackerTest, JobsAreListedAfterARestartBeforeAnyAgentIsBack) {
  ASSERT_TRUE(Submit({"a"}).ok());
  auto x = Attach("x");
  Restart();
  const proto::ListJobsReply reply = tracker()->ListJobs();
  ASSERT_EQ(reply.jobs_size(), 1);
  EXPECT_EQ(reply.jobs(0).running(), 1);
}

TEST_F(TrackerTest, ATrialThatTookThreeAgentsDownIsPoison) {
  ASSERT_TRUE(Submit({"a"}).ok());
  for (const char* agent : {"w", "x", "y"}) {
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
  EXPECT_THAT(Poll()[0].detail(), HasSubstr("3 agents were lost"));
}

TEST_F(TrackerTest, ATrialThatNeverStartsIsGivenUpWithAStatus) {
  options_.lease_ms = 10'000'000;
  Restart();
  ASSERT_TRUE(Submit({"a"}).ok());
  auto x = Attach("x");
  for (int i = 0; i < options_.max_attempts; ++i) {
    ASSERT_EQ(x->Grants().size(), static_cast<size_t>(i) + 1);
    GiveBack("x", x->Grants().back().lease(), "no baseline");
    Pass(60'000);
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
  EXPECT_EQ(x->Revokes(), 2);
  EXPECT_EQ(x->Acks(), 0);
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
