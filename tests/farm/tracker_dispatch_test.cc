// Which trial goes to which device.
#include <queue>

#include "farm/tracker_fixture.h"

namespace tilth {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_F(TrackerTest, TrialsGoOnlyToDevicesThatHaveAllTagsOfTheirSession) {
  auto plain = Attach("plain"), fan = Attach("fan", 1, {}, {"ram-8g", "fan"});
  OpenSession("picky", "", {"fan"});
  OpenSession("pickier", "", {"fan", "camera"});
  ASSERT_TRUE(Submit({"p1", "p2"}, "picky").ok());
  ASSERT_TRUE(Submit({"q"}, "pickier").ok());
  EXPECT_THAT(plain->GrantedIds(), IsEmpty());
  EXPECT_THAT(fan->GrantedIds(), ElementsAre("p1"));
  ASSERT_TRUE(Submit({"a"}).ok());
  EXPECT_THAT(plain->GrantedIds(), ElementsAre("a"));
  auto all = Attach("all", 2, {}, {"camera", "fan"});
  EXPECT_THAT(all->GrantedIds(), ElementsAre("p2", "q"));
}

TEST_F(TrackerTest, AReservedDeviceServesItsUserAloneAlsoOverARestart) {
  OpenSession("eve's", "eve");
  Attach("x", 2);
  ASSERT_TRUE(SetDevice("x", proto::SetDeviceRequest::RESERVE, "eve").ok());
  Restart();
  auto x = Attach("x", 2);
  ASSERT_TRUE(Submit({"a"}).ok());
  ASSERT_TRUE(Submit({"e"}, "eve's").ok());
  EXPECT_THAT(x->GrantedIds(), ElementsAre("e"));
  EXPECT_EQ(tracker()->ListDevices("").devices(0).reserved_for(), "eve");
  ASSERT_TRUE(SetDevice("x", proto::SetDeviceRequest::RELEASE).ok());
  EXPECT_THAT(x->GrantedIds(), ElementsAre("e", "a"));
  EXPECT_EQ(SetDevice("x", proto::SetDeviceRequest::RESERVE).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(TrackerTest, OperatorsNameADeviceAsTheListDoesOrByHowItsIdBegins) {
  for (const char* agent : {"e8fb", "e900", "f0"}) Attach(agent);
  constexpr auto kDrain = proto::SetDeviceRequest::DRAIN;
  for (const char* one : {"e8fb-host/e8", "e8fb-host", "e8fb", "e9", "f"}) {
    EXPECT_EQ(SetDevice(one, kDrain).value_or(0), 1) << one;
  }
  for (const char* nobody : {"e9-host/e8", "e8fb-host/e9", "e8fb-hos", "/e8", "f00"}) {
    EXPECT_EQ(SetDevice(nobody, kDrain).status().code(), absl::StatusCode::kNotFound) << nobody;
  }
  const Status two = SetDevice("e", kDrain).status();
  EXPECT_EQ(two.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(two.message()), ::testing::HasSubstr("the agent ids of 2 devices begin with 'e'; give more"));
}

TEST_F(TrackerTest, TrialsWithOneWordGoToOneDevice) {
  auto x = Attach("x", 2), y = Attach("y", 2), z = Attach("z", 2);
  ASSERT_TRUE(SubmitTogether("first", {"a1", "a2", "a3"}).ok());
  ASSERT_TRUE(SubmitTogether("second", {"b1", "b2", "b3"}).ok());
  EXPECT_THAT(x->GrantedIds(), ElementsAre("a1", "a2"));
  EXPECT_THAT(y->GrantedIds(), ElementsAre("b1", "b2"));
  EXPECT_THAT(z->GrantedIds(), IsEmpty()) << "although it has nothing to do";
  ASSERT_TRUE(Submit({"c"}).ok());
  EXPECT_THAT(z->GrantedIds(), ElementsAre("c")) << "past those that wait for others";
  Finish("x", x->Grants()[0].lease());
  EXPECT_THAT(x->GrantedIds(), ElementsAre("a1", "a2", "a3"));
}

TEST_F(TrackerTest, TrialsWithOneWordMoveWhenTheirDeviceMayNotWork) {
  auto x = Attach("x"), y = Attach("y");
  ASSERT_TRUE(SubmitTogether("w", {"a", "b", "c"}).ok());
  EXPECT_THAT(x->GrantedIds(), ElementsAre("a"));
  EXPECT_THAT(y->GrantedIds(), IsEmpty());
  ASSERT_TRUE(SetDevice("x", proto::SetDeviceRequest::CORDON).ok());
  ASSERT_TRUE(SetDevice("x", proto::SetDeviceRequest::RESUME).ok());
  EXPECT_THAT(y->GrantedIds(), ElementsAre("a"));
  Finish("y", y->Grants()[0].lease());
  EXPECT_THAT(y->GrantedIds(), ElementsAre("a", "b")) << "and stay there";
}

TEST_F(TrackerTest, AWordsDeviceOutlivesARestart) {
  auto x = Attach("x");
  Attach("y");
  ASSERT_TRUE(SubmitTogether("w", {"a", "b"}).ok());
  Restart();
  const proto::Lease lease = x->Grants()[0].lease();
  x = Attach("x", 1, {lease});
  auto y = Attach("y");
  EXPECT_THAT(y->GrantedIds(), IsEmpty());
  Finish("x", lease);
  EXPECT_THAT(x->GrantedIds(), ElementsAre("b"));
}

TEST_F(TrackerTest, ACordonSendsWhatHasNotBegunToOthers) {
  auto x = Attach("x", 2);
  ASSERT_TRUE(Submit({"a", "b"}).ok());
  Start("x", x->Grants()[0].lease());
  auto y = Attach("y");
  EXPECT_THAT(y->GrantedIds(), IsEmpty());
  ASSERT_TRUE(SetDevice("x", proto::SetDeviceRequest::CORDON).ok());
  EXPECT_EQ(x->Revokes(), 1);
  EXPECT_THAT(y->GrantedIds(), ElementsAre("b"));
  EXPECT_EQ(tracker()->ListDevices("").devices(0).state(), proto::DEVICE_DRAINING);
  Finish("x", x->Grants()[0].lease());
  EXPECT_EQ(tracker()->ListDevices("").devices(0).state(), proto::DEVICE_CORDONED);
  EXPECT_EQ(Poll().size(), 1u);
}

TEST_F(TrackerTest, ATrialIsRetriedOnAnotherDeviceIfThereIsOne) {
  auto x = Attach("x");
  ASSERT_TRUE(Submit({"a", "b"}).ok());
  auto y = Attach("y");
  ASSERT_THAT(y->GrantedIds(), ElementsAre("b"));
  GiveBack("x", x->Grants()[0].lease(), "disk full");
  EXPECT_THAT(x->GrantedIds(), ElementsAre("a")) << "it waits for the other one";
  ASSERT_TRUE(Submit({"c"}).ok());
  EXPECT_THAT(x->GrantedIds(), ElementsAre("a", "c")) << "which holds nobody else up";
  Finish("y", y->Grants()[0].lease());
  EXPECT_THAT(y->GrantedIds(), ElementsAre("b", "a"));
}

TEST_F(TrackerTest, ATrialComesBackToItsDeviceWhenTheOthersGo) {
  auto x = Attach("x");
  ASSERT_TRUE(Submit({"a", "b"}).ok());
  auto y = Attach("y");
  GiveBack("x", x->Grants()[0].lease(), "disk full");
  EXPECT_THAT(x->GrantedIds(), ElementsAre("a"));
  tracker()->Detach("y", y.get());
  EXPECT_THAT(x->GrantedIds(), ElementsAre("a", "a"));
}

TEST_F(TrackerTest, ADeviceOnWhichEverythingFailsGetsLongerAndLongerRests) {
  auto x = Attach("x");
  ASSERT_TRUE(Submit({"a", "b"}).ok());
  GiveBack("x", x->Grants().back().lease(), "disk full");
  EXPECT_THAT(x->Grants(), SizeIs(2));
  GiveBack("x", x->Grants().back().lease(), "disk full");
  EXPECT_THAT(x->Grants(), SizeIs(2));
  const proto::DeviceStatus resting = tracker()->ListDevices("").devices(0);
  EXPECT_EQ(resting.state(), proto::DEVICE_RESTING);
  EXPECT_THAT(resting.reason(), ::testing::HasSubstr("2 trials in a row"));
  Pass(1'000);
  EXPECT_THAT(x->Grants(), SizeIs(3));
  EXPECT_EQ(tracker()->ListDevices("").devices(0).state(), proto::DEVICE_BUSY);
  GiveBack("x", x->Grants().back().lease(), "disk full");
  Pass(1'000);
  EXPECT_THAT(x->Grants(), SizeIs(3));
  Pass(1'000);
  EXPECT_THAT(x->Grants(), SizeIs(4));
  Finish("x", x->Grants().back().lease());
  GiveBack("x", x->Grants().back().lease(), "network");
  EXPECT_THAT(x->Grants(), SizeIs(6)) << "a success makes the past forgotten";
}

TEST_F(TrackerTest, SessionsOfAHigherPriorityGoFirst) {
  OpenSession("low", "", {}, -5);
  OpenSession("high", "another", {}, 3);
  ASSERT_TRUE(Submit({"l"}, "low").ok());
  ASSERT_TRUE(Submit({"a"}).ok());
  ASSERT_TRUE(Submit({"h1", "h2"}, "high").ok());
  auto x = Attach("x", 4);
  EXPECT_THAT(x->GrantedIds(), ElementsAre("h1", "h2", "a", "l"));
}

TEST_F(TrackerTest, ABlobIsSentToADeviceOnceWhileItIsAttached) {
  auto x = Attach("x", 3);
  ASSERT_TRUE(Submit({"a", "b"}).ok());
  EXPECT_THAT(x->Grants()[0].blobs(), SizeIs(2));
  EXPECT_THAT(x->Grants()[1].blobs(), SizeIs(1)) << "the baseline is there already";
  auto again = Attach("x", 3);
  EXPECT_THAT(again->Grants()[0].blobs(), SizeIs(2));
  EXPECT_EQ(tracker()->GetBlob(ContentHash("a"))->data(), StrCat("frame of ", ContentHash("a")));
}

// Devices that take a fixed time for each trial; returns the seconds until the session's trials are all done.
class SimulatedFarm {
 public:
  SimulatedFarm(FakeClock& clock, int devices, std::function<std::shared_ptr<FakePort>(const std::string&)> attach,
                std::function<void(const std::string&, const proto::Lease&, double)> finish)
      : clock_(clock), finish_(std::move(finish)) {
    for (int i = 0; i < devices; ++i) devices_.push_back({StrCat("d", i), attach(StrCat("d", i)), 0, 0});
  }

  double RunUntil(const std::function<bool()>& done, const std::map<std::string, double>& seconds_of_session) {
    const int64_t begun_ns = clock_.NowNs();
    while (!done()) {
      Device* next = nullptr;
      int64_t next_ns = INT64_MAX;
      for (Device& device : devices_) {
        if (device.served == device.port->messages.size()) continue;
        while (device.served < device.port->messages.size() && !device.port->messages[device.served].has_grant()) {
          ++device.served;
        }
        if (device.served == device.port->messages.size()) continue;
        const auto& lease = device.port->messages[device.served].grant().lease();
        const double seconds = seconds_of_session.at(lease.session_id());
        if (device.busy_until_ns <= clock_.NowNs() && !device.running) {
          device.busy_until_ns = clock_.NowNs() + static_cast<int64_t>(1e9 * seconds);
          device.running = true;
        }
        if (device.busy_until_ns < next_ns) next = &device, next_ns = device.busy_until_ns;
      }
      if (next == nullptr) return -1;
      clock_.AdvanceNs(std::max<int64_t>(0, next_ns - clock_.NowNs()));
      const proto::Lease lease = next->port->messages[next->served++].grant().lease();
      next->running = false;
      finish_(next->id, lease, seconds_of_session.at(lease.session_id()));
    }
    return 1e-9 * static_cast<double>(clock_.NowNs() - begun_ns);
  }

 private:
  struct Device {
    std::string id;
    std::shared_ptr<FakePort> port;
    size_t served;
    int64_t busy_until_ns;
    bool running = false;
  };
  FakeClock& clock_;
  std::function<void(const std::string&, const proto::Lease&, double)> finish_;
  std::vector<Device> devices_;
};

class FairnessTest : public TrackerTest, public ::testing::WithParamInterface<double> {
 protected:
  std::vector<std::string> Ids(const std::string& prefix, int count) {
    std::vector<std::string> ids;
    for (int i = 0; i < count; ++i) ids.push_back(StrCat(prefix, i));
    return ids;
  }
};

TEST_P(FairnessTest, FiftyTrialsBesideTenThousandTakeAtMostTwiceAndAHalfOfTheirTimeAlone) {
  options_.session_timeout_ms = 1'000'000'000;
  options_.lease_ms = 1'000'000'000;
  Restart();
  OpenSession("small", "small");
  OpenSession("large", "large");
  const std::map<std::string, double> seconds = {{"small", 0.1}, {"large", GetParam()}};
  SimulatedFarm farm(
      clock_, 5, [this](const std::string& id) { return Attach(id, 2); },
      [this](const std::string& id, const proto::Lease& lease, double busy_seconds) {
        Finish(id, lease, 1, busy_seconds);
      });
  size_t wanted = 50;
  const auto small_done = [&] { return Poll({}, "small").size() == wanted; };
  ASSERT_TRUE(Submit(Ids("alone", 50), "small").ok());
  const double alone_s = farm.RunUntil(small_done, seconds);
  ASSERT_TRUE(Submit(Ids("many", 10'000), "large").ok());
  // Until the tracker knows what the trials of the large one take.
  farm.RunUntil([&] { return Poll({}, "large").size() >= 30; }, seconds);
  ASSERT_TRUE(Submit(Ids("beside", 50), "small").ok());
  wanted = 100;
  const double beside_s = farm.RunUntil(small_done, seconds);
  EXPECT_LE(beside_s, 2.5 * alone_s) << alone_s;
  EXPECT_GE(beside_s, 1.5 * alone_s) << "the large one has its share, too";
}

INSTANTIATE_TEST_SUITE_P(SecondsOfTheLargeOnesTrials, FairnessTest, ::testing::Values(0.02, 0.1, 0.25));

}  // namespace
}  // namespace tilth
