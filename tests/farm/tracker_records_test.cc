// What the tracker remembers of devices: over restarts, and not for ever.
#include "tracker_fixture.h"

namespace tilth {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr int64_t kHalfAMinuteMs = 30'000;

class TrackerRecordsTest : public TrackerTest {
 protected:
  proto::DeviceStatus Only() {
    const proto::ListDevicesReply reply = tracker()->ListDevices("");
    EXPECT_EQ(reply.devices_size(), 1);
    return reply.devices_size() == 1 ? reply.devices(0) : proto::DeviceStatus();
  }
  int Devices() { return tracker()->ListDevices("").devices_size(); }
  void Detach(const std::string& agent) { tracker()->Detach(agent, ports_[agent].get()); }

  // A result of a device whose core others use: it says nothing.
  void FinishUnwell(const std::string& agent, const proto::Lease& lease) {
    proto::AgentMessage message;
    *message.mutable_finished()->mutable_lease() = lease;
    proto::DeviceHealth* health = message.mutable_finished()->mutable_result()->mutable_health();
    health->set_canary_ratio(1);
    health->set_canary_lost(0.5);
    health->set_measured_unix_ms(clock_.WallMs());
    Say(agent, message);
  }
};

TEST_F(TrackerRecordsTest, ADeviceIsKnownWithItsCountsBeforeItsAgentIsBackAfterARestart) {
  ASSERT_TRUE(Submit({"a", "b"}).ok());
  auto x = Attach("x", 2, {}, {"fan"});
  Finish("x", x->Grants()[0].lease());
  FinishUnwell("x", x->Grants()[1].lease());
  Detach("x");
  Restart();
  clock_.AdvanceMs(60'000);
  const proto::DeviceStatus device = Only();
  EXPECT_EQ(device.state(), proto::DEVICE_OFFLINE);
  EXPECT_EQ(device.reason(), "its agent has not been attached for 1m");
  EXPECT_EQ(device.device().host_name(), "x-host");
  EXPECT_EQ(device.tags(0), "fan");
  EXPECT_EQ(device.trials_done(), 1);
  EXPECT_EQ(device.trials_spoiled(), 1);
  Attach("x");
  EXPECT_EQ(Only().trials_done(), 1);
}

TEST_F(TrackerRecordsTest, ADamagedRecordIsLeftOutAndReplacedWhenItsAgentComes) {
  Attach("x");
  ASSERT_TRUE(store_.Begin().ok());
  ASSERT_TRUE(store_.PutRecord({.agent_id = "y", .hello = "\xff\xff", .trials_done = 5}).ok());
  ASSERT_TRUE(store_.Commit().ok());
  Restart();
  EXPECT_EQ(Only().agent_id(), "x");
  Attach("y");
  EXPECT_EQ(Devices(), 2);
  EXPECT_NE(store_.Load()->records.at(1).hello, "\xff\xff");
}

TEST_F(TrackerRecordsTest, CountsAreStoredNowAndThenAndNotWithEveryTrial) {
  const auto stored_count = [this] { return store_.Load()->records[0].trials_done; };
  ASSERT_TRUE(Submit({"a", "b"}).ok());
  auto x = Attach("x", 2);
  Finish("x", x->Grants()[0].lease());
  Finish("x", x->Grants()[1].lease());
  EXPECT_EQ(stored_count(), 0);
  Pass(kHalfAMinuteMs);
  EXPECT_EQ(stored_count(), 2);
}

TEST_F(TrackerRecordsTest, ATrackerThatEndsInPeaceLosesNoCount) {
  ASSERT_TRUE(Submit({"a"}).ok());
  auto x = Attach("x");
  Finish("x", x->Grants()[0].lease());
  tracker()->Stop();
  Restart();
  EXPECT_EQ(Only().trials_done(), 1);
}

TEST_F(TrackerRecordsTest, ADeviceThatIsAwayCanBeCordonedAlsoAfterARestart) {
  Attach("x");
  Detach("x");
  Restart();
  EXPECT_EQ(*SetDevice("x-host", proto::SetDeviceRequest::CORDON), 1);
  Restart();
  Attach("x");
  EXPECT_EQ(Only().state(), proto::DEVICE_CORDONED);
}

TEST_F(TrackerRecordsTest, WhoHasBeenAwayForLongIsForgotten) {
  Attach("x");
  Attach("y");
  Detach("x");
  Pass(options_.forget_device_ms - 1);
  EXPECT_EQ(Devices(), 2);
  Pass(1);
  EXPECT_EQ(Only().agent_id(), "y") << "which is attached";
  EXPECT_THAT(store_.Load()->records, SizeIs(1));
  Attach("x");
  EXPECT_EQ(Devices(), 2);
}

TEST_F(TrackerRecordsTest, TheTimeAwayGoesOnOverARestartFromWhenTheDeviceOrTheTrackerWent) {
  Attach("x");
  Attach("y");
  Detach("x");
  clock_.AdvanceMs(options_.forget_device_ms);
  Restart();
  Pass(1);
  EXPECT_EQ(Only().agent_id(), "y") << "it was attached when the tracker ended";
  Pass(options_.forget_device_ms);
  EXPECT_EQ(Devices(), 0);
  EXPECT_THAT(store_.Load()->records, IsEmpty());
}

TEST_F(TrackerRecordsTest, WhatAnOperatorHoldsIsNotForgottenBeforeItIsReleased) {
  Attach("x");
  EXPECT_EQ(*SetDevice("x", proto::SetDeviceRequest::RESERVE, "anna"), 1);
  Detach("x");
  Pass(2 * options_.forget_device_ms);
  EXPECT_EQ(Only().reserved_for(), "anna");
  EXPECT_EQ(*SetDevice("x", proto::SetDeviceRequest::RELEASE), 1);
  Pass(2 * options_.forget_device_ms);
  EXPECT_EQ(Devices(), 0);
}

TEST_F(TrackerRecordsTest, ADeviceThatRestsIsForgottenCleanly) {
  ASSERT_TRUE(Submit({"a", "b"}).ok());
  auto x = Attach("x", 2);
  for (const proto::Grant& grant : x->Grants()) GiveBack("x", grant.lease(), "no runner");
  Detach("x");
  options_.session_timeout_ms = 0;
  Pass(options_.forget_device_ms);
  Pass(options_.forget_device_ms);
  EXPECT_EQ(Devices(), 0);
}

TEST_F(TrackerRecordsTest, HowOftenATrialWasMeasuredInVainOutlivesARestart) {
  options_.max_spoiled = 2;
  Restart();
  ASSERT_TRUE(Submit({"a"}).ok());
  auto x = Attach("x");
  FinishUnwell("x", x->Grants()[0].lease());
  EXPECT_THAT(Poll(), IsEmpty());
  Restart();
  x = Attach("x");
  FinishUnwell("x", x->Grants()[0].lease());
  const auto results = Poll();
  ASSERT_THAT(results, SizeIs(1));
  EXPECT_EQ(results[0].status_code(), static_cast<int>(absl::StatusCode::kUnavailable));
}

}  // namespace
}  // namespace tilth
