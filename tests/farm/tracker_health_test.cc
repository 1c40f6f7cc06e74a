// The tracker and devices that are not well, with simulated readings.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/hash.h"
#include "farm/memory_store.h"
#include "farm/tracker.h"

namespace tilth {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Port : public AgentPort {
 public:
  void Send(proto::TrackerMessage message) override { messages.push_back(std::move(message)); }
  void Close(const Status&) override {}

  std::vector<std::string> GrantedIds() const {
    std::vector<std::string> ids;
    for (const auto& message : messages) {
      if (message.has_grant()) ids.push_back(message.grant().trial().trial_id());
    }
    return ids;
  }
  // The newest lease of a trial.
  proto::Lease LeaseOf(const std::string& trial_id) const {
    proto::Lease lease;
    for (const auto& message : messages) {
      if (message.has_grant() && message.grant().trial().trial_id() == trial_id) lease = message.grant().lease();
    }
    return lease;
  }
  int Acks() const {
    return static_cast<int>(
        std::count_if(messages.begin(), messages.end(), [](const auto& message) { return message.has_ack(); }));
  }

  std::vector<proto::TrackerMessage> messages;
};

class TrackerHealthTest : public ::testing::Test {
 protected:
  void Begin(const TrackerOptions& options = {}) {
    auto tracker = Tracker::Create(options, store_, clock_);
    ASSERT_TRUE(tracker.ok()) << tracker.status();
    tracker_ = std::move(*tracker);
    proto::OpenSessionRequest request;
    request.set_session_id("s");
    request.set_user("anna");
    request.set_device_class("c");
    ASSERT_TRUE(tracker_->OpenSession(request).ok());
    Settle();
  }

  void Settle() {
    EXPECT_TRUE(tracker_->failure().ok()) << tracker_->failure();
    tracker_->TakeEffects().LetOut(absl::OkStatus());
  }

  void Submit(const std::vector<std::string>& ids) {
    proto::SubmitRequest request;
    request.set_session_id("s");
    const std::string hash = ContentHash("kernel");
    for (const std::string& id : ids) {
      proto::Trial* trial = request.add_trials();
      trial->set_trial_id(id);
      trial->set_artifact_hash(hash);
      trial->set_baseline_hash(hash);
    }
    request.add_blobs()->set_hash(hash);
    request.mutable_blobs(0)->set_data("a frame");
    ASSERT_TRUE(tracker_->Submit(request).ok());
    Settle();
  }

  std::shared_ptr<Port> Attach(const std::string& agent, double peak_gflops = 24) {
    proto::AgentHello hello;
    hello.set_agent_id(agent);
    hello.mutable_device()->set_device_class("c");
    hello.mutable_device()->set_host_name(agent);
    hello.mutable_device()->set_peak_gflops(peak_gflops);
    hello.set_slots(2);
    ports_[agent] = std::make_shared<Port>();
    EXPECT_TRUE(tracker_->Attach(hello, ports_[agent]).ok());
    Settle();
    return ports_[agent];
  }

  void Say(const std::string& agent, const proto::AgentMessage& message) {
    tracker_->OnMessage(agent, ports_[agent].get(), message);
    Settle();
  }

  proto::DeviceHealth Health(double lost, double ratio = 1) const {
    proto::DeviceHealth health;
    health.set_canary_ratio(ratio);
    health.set_canary_lost(lost);
    health.set_measured_unix_ms(clock_.WallMs());
    return health;
  }

  // One reading a second, with the leases that the agent holds.
  void Read(const std::string& agent, double lost, int times = 1, const std::vector<proto::Lease>& holding = {}) {
    for (int i = 0; i < times; ++i) {
      clock_.AdvanceMs(1'000);
      proto::AgentMessage message;
      *message.mutable_heartbeat()->mutable_health() = Health(lost);
      for (const proto::Lease& lease : holding) *message.mutable_heartbeat()->add_holding() = lease;
      Say(agent, message);
    }
  }

  void Start(const std::string& agent, const proto::Lease& lease) {
    proto::AgentMessage message;
    *message.mutable_started()->mutable_lease() = lease;
    Say(agent, message);
  }

  void Finish(const std::string& agent, const proto::Lease& lease, double lost,
              proto::MeasureErrorKind error = proto::MEASURE_ERROR_NONE) {
    proto::AgentMessage message;
    *message.mutable_finished()->mutable_lease() = lease;
    message.mutable_finished()->mutable_result()->set_median_ns(1);
    message.mutable_finished()->mutable_result()->set_error(error);
    *message.mutable_finished()->mutable_result()->mutable_health() = Health(lost);
    Say(agent, message);
  }

  std::vector<proto::MeasureResult> Results() {
    proto::WaitResultsRequest request;
    request.set_session_id("s");
    std::vector<proto::MeasureResult> results;
    tracker_->WaitResults(request, [&](StatusOr<proto::WaitResultsReply> reply) {
      ASSERT_TRUE(reply.ok()) << reply.status();
      results.assign(reply->results().begin(), reply->results().end());
    });
    Settle();
    return results;
  }

  proto::DeviceStatus Device(int index = 0) { return tracker_->ListDevices("c").devices(index); }

  FakeClock clock_;
  MemoryStore store_;
  std::unique_ptr<Tracker> tracker_;
  std::map<std::string, std::shared_ptr<Port>> ports_;
};

TEST_F(TrackerHealthTest, QuarantinedDeviceGetsNothingAndReturnsByItself) {
  Begin();
  auto port = Attach("x");
  Read("x", 0.009, 5);
  Read("x", 0.5, 3);
  EXPECT_EQ(Device().state(), proto::DEVICE_QUARANTINED);
  EXPECT_THAT(Device().reason(), HasSubstr("other processes take 50 % of its measuring core"));
  Submit({"a"});
  EXPECT_THAT(port->GrantedIds(), IsEmpty());
  Read("x", 0.009, 5);
  EXPECT_THAT(Device().reason(), HasSubstr("good readings for 4 s of 10 s"));
  EXPECT_THAT(port->GrantedIds(), IsEmpty());
  Read("x", 0.009, 6);
  EXPECT_EQ(Device().state(), proto::DEVICE_BUSY);
  EXPECT_THAT(port->GrantedIds(), ElementsAre("a"));
}

TEST_F(TrackerHealthTest, WhatItHasNotBegunGoesToAnotherDevice) {
  Begin();
  auto x = Attach("x");
  Submit({"a", "b"});
  Start("x", x->LeaseOf("a"));
  auto y = Attach("y");
  Read("x", 0.5, 1, {x->LeaseOf("a"), x->LeaseOf("b")});
  EXPECT_THAT(y->GrantedIds(), ElementsAre("b"));
  Finish("y", y->LeaseOf("b"), 0.009);
  ASSERT_EQ(Results().size(), 1u);
  EXPECT_EQ(Results()[0].attempts(), 1) << "taken back is not tried";
}

TEST_F(TrackerHealthTest, ResultOfABadMomentIsMeasuredAgainElsewhere) {
  Begin();
  auto x = Attach("x");
  Submit({"a"});
  auto y = Attach("y");
  Start("x", x->LeaseOf("a"));
  Finish("x", x->LeaseOf("a"), 0.5);
  EXPECT_THAT(Results(), IsEmpty());
  EXPECT_EQ(x->Acks(), 1) << "the agent forgets it";
  EXPECT_EQ(Device().trials_done(), 0);
  ASSERT_THAT(y->GrantedIds(), ElementsAre("a"));
  Start("y", y->LeaseOf("a"));
  Finish("y", y->LeaseOf("a"), 0.009);
  ASSERT_EQ(Results().size(), 1u);
  EXPECT_EQ(Results()[0].agent_id(), "y");
  EXPECT_EQ(Results()[0].error(), proto::MEASURE_ERROR_NONE);
}

TEST_F(TrackerHealthTest, AnswersThatDoNotDependOnTimeAreKept) {
  Begin();
  auto x = Attach("x");
  Submit({"crash", "timeout"});
  Start("x", x->LeaseOf("crash"));
  Finish("x", x->LeaseOf("crash"), 0.5, proto::MEASURE_ERROR_RUN_CRASH);
  EXPECT_EQ(Results().size(), 1u);
  Start("x", x->LeaseOf("timeout"));
  Finish("x", x->LeaseOf("timeout"), 0.5, proto::MEASURE_ERROR_RUN_TIMEOUT);
  EXPECT_EQ(Results().size(), 1u);
}

TEST_F(TrackerHealthTest, TrialIsGivenUpWithTheReasonAfterTooManyBadMoments) {
  Begin({.max_spoiled = 3});
  auto x = Attach("x");
  Submit({"a"});
  for (int i = 0; i < 3; ++i) {
    ASSERT_THAT(Results(), IsEmpty()) << i;
    Start("x", x->LeaseOf("a"));
    Finish("x", x->LeaseOf("a"), 0.4);
  }
  ASSERT_EQ(Results().size(), 1u);
  EXPECT_EQ(Results()[0].status_code(), static_cast<int>(absl::StatusCode::kUnavailable));
  EXPECT_THAT(Results()[0].status_message(),
              AllOf(HasSubstr("measured 3 times on devices that were not well"), HasSubstr("take 40 %")));
}

TEST_F(TrackerHealthTest, ResultThatWaitsForAReadingNeedsNoSlot) {
  Begin();
  auto x = Attach("x");
  EXPECT_TRUE(x->messages.front().welcome().confirm_results());
  Submit({"a", "b", "c"});
  EXPECT_THAT(x->GrantedIds(), ElementsAre("a", "b"));
  Start("x", x->LeaseOf("a"));
  proto::AgentMessage measured;
  *measured.mutable_measured()->mutable_lease() = x->LeaseOf("a");
  Say("x", measured);
  EXPECT_THAT(x->GrantedIds(), ElementsAre("a", "b", "c"));
  Say("x", measured);
  Finish("x", x->LeaseOf("a"), 0.009);
  EXPECT_EQ(Results().size(), 1u);
  Submit({"d"});
  EXPECT_THAT(x->GrantedIds(), ElementsAre("a", "b", "c")) << "b and c fill its slots";
}

TEST_F(TrackerHealthTest, OperatorsMayVouchForADevice) {
  Begin();
  auto x = Attach("x");
  Read("x", 0.5, 3);
  Submit({"a"});
  proto::SetDeviceRequest request;
  request.set_device("x");
  request.set_change(proto::SetDeviceRequest::RESUME);
  ASSERT_TRUE(tracker_->SetDevice(request).ok());
  Settle();
  EXPECT_THAT(x->GrantedIds(), ElementsAre("a"));
}

TEST_F(TrackerHealthTest, WithoutQuarantineEverythingIsKept) {
  Begin({.quarantine = false});
  auto x = Attach("x");
  EXPECT_FALSE(x->messages.front().welcome().confirm_results());
  Read("x", 0.5, 5);
  Submit({"a"});
  EXPECT_THAT(x->GrantedIds(), ElementsAre("a"));
  Start("x", x->LeaseOf("a"));
  Finish("x", x->LeaseOf("a"), 0.5);
  ASSERT_EQ(Results().size(), 1u);
  EXPECT_EQ(Results()[0].health().canary_lost(), 0.5);
}

TEST_F(TrackerHealthTest, DeviceThatDiffersFromItsClassHasAWarning) {
  Begin();
  Attach("x", 24);
  Attach("y", 24.4);
  Attach("z", 19);
  for (const char* agent : {"x", "y", "z"}) Read(agent, 0.009);
  EXPECT_THAT(Device(0).warning(), IsEmpty());
  EXPECT_THAT(Device(2).warning(), HasSubstr("21 % slower than the median of the 3 devices of its class"));
  EXPECT_NEAR(Device(2).normalization(), 0.79, 0.01);
}

TEST_F(TrackerHealthTest, JobsTellWhoseTheyAreAndHowLongTheyTake) {
  Begin();
  auto x = Attach("x");
  Submit({"a", "b", "c", "d", "e"});
  const proto::JobStatus job = tracker_->ListJobs().jobs(0);
  EXPECT_EQ(job.user(), "anna");
  EXPECT_NEAR(job.eta_seconds(), 0.5, 1e-9) << "five trials of a tenth of a second";
  Read("x", 0.5, 3);
  EXPECT_EQ(tracker_->ListJobs().jobs(0).eta_seconds(), 0) << "nobody knows when a device is there";
}

}  // namespace
}  // namespace tilth
