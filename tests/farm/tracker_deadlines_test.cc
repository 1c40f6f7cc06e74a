// Deadlines of the queue, the transfer and the run; artifacts that take agents down with them.
#include "farm/tracker_fixture.h"

namespace tilth {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class TrackerDeadlinesTest : public TrackerTest {
 protected:
  Status SubmitWith(const std::string& id, const std::function<void(proto::Trial*)>& change) {
    proto::SubmitRequest request = Trials({id}, "s", /*blobs=*/true);
    change(request.mutable_trials(0));
    return tracker()->Submit(request).status();
  }

  // With heartbeats for `lease` from `agent`.
  void PassAlive(const std::string& agent, const proto::Lease& lease, int64_t ms) {
    for (int64_t step = options_.lease_ms / 2; ms > 0; ms -= step) {
      Pass(std::min(step, ms));
      Beat(agent, {lease});
    }
  }
};

TEST_F(TrackerDeadlinesTest, ATrialThatWaitsTooLongForADeviceEndsWithAStatus) {
  ASSERT_TRUE(SubmitWith("a", [](proto::Trial* trial) { trial->set_queue_deadline_ms(5'000); }).ok());
  Pass(4'999);
  EXPECT_THAT(Poll(), IsEmpty());
  Pass(1);
  ASSERT_EQ(Poll().size(), 1u);
  EXPECT_EQ(Poll()[0].status_code(), static_cast<int>(absl::StatusCode::kDeadlineExceeded));
  EXPECT_THAT(Poll()[0].status_message(), HasSubstr("5000 ms"));
  EXPECT_THAT(Attach("x")->GrantedIds(), IsEmpty());
}

TEST_F(TrackerDeadlinesTest, TheQueueDeadlineGoesOnOverARestartAndEndsWithTheFirstLease) {
  ASSERT_TRUE(SubmitWith("a", [](proto::Trial* trial) { trial->set_queue_deadline_ms(5'000); }).ok());
  ASSERT_TRUE(SubmitWith("b", [](proto::Trial* trial) { trial->set_queue_deadline_ms(5'000); }).ok());
  clock_.AdvanceMs(3'000);
  Restart();
  auto x = Attach("x");
  GiveBack("x", x->Grants()[0].lease(), "once");
  Pass(2'000);
  ASSERT_EQ(Poll().size(), 1u);
  EXPECT_EQ(Poll()[0].trial_id(), "b");
}

TEST_F(TrackerDeadlinesTest, ATrialThatDoesNotBeginGoesElsewhere) {
  auto x = Attach("x");
  ASSERT_TRUE(SubmitWith("a", [](proto::Trial* trial) { trial->set_transfer_deadline_ms(20'000); }).ok());
  auto y = Attach("y");
  PassAlive("x", x->Grants()[0].lease(), 20'000);
  EXPECT_THAT(y->GrantedIds(), ElementsAre("a"));
  EXPECT_EQ(x->Revokes(), 1);
}

TEST_F(TrackerDeadlinesTest, ATrialThatWaitsBehindARunningOneHasNotToBegin) {
  auto x = Attach("x", 2);
  ASSERT_TRUE(SubmitWith("a", [](proto::Trial* trial) { trial->set_run_deadline_ms(100'000); }).ok());
  ASSERT_TRUE(SubmitWith("b", [](proto::Trial* trial) { trial->set_transfer_deadline_ms(1'000); }).ok());
  const proto::Lease a = x->Grants()[0].lease(), b = x->Grants()[1].lease();
  Start("x", a);
  for (int i = 0; i < 20; ++i) {
    Pass(1'000);
    Beat("x", {a, b});
  }
  EXPECT_EQ(x->Revokes(), 0);
  Finish("x", a);
  Pass(1'000);
  EXPECT_EQ(x->Revokes(), 1);
}

TEST_F(TrackerDeadlinesTest, AnAgentThatIsFarPastTheRunDeadlineIsLost) {
  options_.run_slack_ms = 1'000;
  options_.max_lost_runs = 2;
  Restart();
  auto x = Attach("x");
  ASSERT_TRUE(SubmitWith("a", [](proto::Trial* trial) { trial->set_run_deadline_ms(1'000); }).ok());
  auto y = Attach("y");
  const proto::Lease lease = x->Grants()[0].lease();
  Start("x", lease);
  PassAlive("x", lease, 8'000);
  EXPECT_TRUE(x->closed.ok());
  PassAlive("x", lease, 1'000);
  EXPECT_EQ(x->closed.code(), absl::StatusCode::kAborted);
  ASSERT_THAT(y->GrantedIds(), ElementsAre("a"));
  Start("y", y->Grants()[0].lease());
  PassAlive("y", y->Grants()[0].lease(), 9'000);
  ASSERT_EQ(Poll().size(), 1u);
  EXPECT_EQ(Poll()[0].error(), proto::MEASURE_ERROR_RUN_CRASH);
}

TEST_F(TrackerDeadlinesTest, AnArtifactThatTookAgentsDownIsNotHandedOutForADayAlsoOverARestart) {
  const auto poisonous = [](proto::Trial* trial) { trial->set_artifact_hash(ContentHash("b")); };
  ASSERT_TRUE(Submit({"b"}).ok());
  for (const char* agent : {"w", "x", "y"}) {
    auto port = Attach(agent);
    Start(agent, port->Grants()[0].lease());
    tracker()->Detach(agent, port.get());
    PassLease();
  }
  Restart();
  auto z = Attach("z");
  ASSERT_TRUE(SubmitWith("again", poisonous).ok());
  EXPECT_THAT(z->GrantedIds(), IsEmpty());
  ASSERT_EQ(Poll().size(), 2u);
  EXPECT_EQ(Poll()[1].error(), proto::MEASURE_ERROR_RUN_CRASH);
  EXPECT_THAT(Poll()[1].detail(), HasSubstr("poison list"));
  clock_.AdvanceMs(options_.poison_ms);
  ASSERT_TRUE(SubmitWith("much later", poisonous).ok());
  EXPECT_THAT(z->GrantedIds(), ElementsAre("much later"));
}

}  // namespace
}  // namespace tilth
