#include "farm/device_health.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tilth {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr double kQuietLoss = 0.009;  // what an undisturbed core loses to its own timer

// A device that reports every three seconds.
class Patient {
 public:
  explicit Patient(const HealthPolicy& policy = {}) : state(policy) {}

  DeviceCondition Read(const DeviceHealth& health) {
    DeviceHealth reading = health;
    now_ns += 3 * kSecondNs;
    reading.measured_unix_ms = now_ns / 1'000'000;
    state.OnReading(reading, now_ns);
    return state.condition();
  }
  DeviceCondition Lost(double lost) { return Read({.canary_ratio = 1, .canary_spread = 0.001, .canary_lost = lost}); }
  DeviceCondition Speed(double ratio) { return Read({.canary_ratio = ratio, .canary_lost = kQuietLoss}); }
  bool Quarantined() const {
    return state.condition() == DeviceCondition::kQuarantined || state.condition() == DeviceCondition::kRecovering;
  }
  // Reads `lost` until the device is (not) in quarantine; how many seconds that took, or -1 for more than an hour.
  double SecondsUntil(bool quarantined, double lost) {
    const int64_t begin_ns = now_ns;
    while (Quarantined() != quarantined) {
      if (now_ns - begin_ns > 3600 * kSecondNs) return -1;
      Lost(lost);
    }
    return static_cast<double>(now_ns - begin_ns) * 1e-9;
  }

  DeviceHealthState state;
  int64_t now_ns = kSecondNs;
};

TEST(DeviceHealthTest, QuietDeviceStaysGood) {
  Patient patient;
  for (double lost : {0.007, 0.012, 0.000, 0.026, 0.009, 0.011}) EXPECT_EQ(patient.Lost(lost), DeviceCondition::kGood);
  EXPECT_TRUE(patient.state.MayWork());
  EXPECT_THAT(patient.state.Reason(), IsEmpty());
}

// Readings of a virtual machine whose neighbours build now and then, as recorded.
TEST(DeviceHealthTest, PassingDisturbanceIsAPauseOnly) {
  Patient patient;
  for (double lost : {0.009, 0.227, 0.012, 0.008, 0.501, 0.010, 0.009, 0.011, 0.31, 0.009}) {
    const DeviceCondition condition = patient.Lost(lost);
    EXPECT_EQ(condition, lost > 0.03 ? DeviceCondition::kSuspect : DeviceCondition::kGood) << lost;
    EXPECT_EQ(patient.state.MayWork(), lost < 0.1) << "it pauses for a moment: " << lost;
  }
  EXPECT_EQ(patient.Lost(0.05), DeviceCondition::kSuspect);
  EXPECT_THAT(patient.state.Reason(), HasSubstr("5 %"));
}

TEST(DeviceHealthTest, LoadedCoreIsQuarantinedWithinAMinuteAndReturnsByItself) {
  Patient patient;
  for (int i = 0; i < 20; ++i) patient.Lost(kQuietLoss);
  const double until_quarantine = patient.SecondsUntil(true, 0.5);
  EXPECT_GT(until_quarantine, 0);
  EXPECT_LT(until_quarantine, 20);
  EXPECT_EQ(patient.state.condition(), DeviceCondition::kQuarantined);
  EXPECT_THAT(patient.state.Reason(), HasSubstr("other processes take 50 % of its measuring core"));
  EXPECT_EQ(patient.Lost(kQuietLoss), DeviceCondition::kRecovering);
  EXPECT_FALSE(patient.state.MayWork());
  EXPECT_THAT(patient.state.Reason(), HasSubstr("good readings for 0 s of 10 s"));
  const double until_return = patient.SecondsUntil(false, kQuietLoss);
  EXPECT_GE(until_return, 9);
  EXPECT_LT(until_return, 30);
}

TEST(DeviceHealthTest, LowerClockIsQuarantinedWithItsReason) {
  Patient patient;
  patient.Speed(1);
  EXPECT_EQ(patient.Speed(0.95), DeviceCondition::kSuspect);
  for (int i = 0; i < 3; ++i) patient.Read({.canary_ratio = 0.66, .throttled = true});
  EXPECT_EQ(patient.state.condition(), DeviceCondition::kQuarantined);
  EXPECT_THAT(patient.state.Reason(), HasSubstr("its clock is 34 % slower than when it was calibrated, and the system "
                                                "says that it is throttled"));
}

TEST(DeviceHealthTest, OneBadReadingBeginsTheReturnAnewAndAMiddlingOneDoesNotCount) {
  Patient patient;
  patient.SecondsUntil(true, 0.4);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(patient.Lost(kQuietLoss), DeviceCondition::kRecovering);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(patient.Lost(0.07), DeviceCondition::kRecovering);
  EXPECT_EQ(patient.Lost(0.12), DeviceCondition::kQuarantined);
  EXPECT_EQ(patient.Lost(0.07), DeviceCondition::kQuarantined);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(patient.Lost(kQuietLoss), DeviceCondition::kRecovering);
  EXPECT_EQ(patient.Lost(kQuietLoss), DeviceCondition::kGood);
}

TEST(DeviceHealthTest, FlappingDeviceHasToProveItselfForLongerAndLonger) {
  Patient patient;
  double before = 0;
  for (int relapse = 0; relapse < 5; ++relapse) {
    patient.SecondsUntil(true, 0.5);
    const double took = patient.SecondsUntil(false, kQuietLoss);
    EXPECT_GT(took, 1.3 * before) << relapse;
    before = took;
  }
  EXPECT_LE(patient.SecondsUntil(true, 0.5), 20);
  // An hour of good conduct is forgiveness.
  patient.SecondsUntil(false, kQuietLoss);
  for (int i = 0; i < 1'200; ++i) patient.Lost(kQuietLoss);
  patient.SecondsUntil(true, 0.5);
  EXPECT_LT(patient.SecondsUntil(false, kQuietLoss), 30);
}

TEST(DeviceHealthTest, DeviceOnTheEdgeNeitherHangsNorFlaps) {
  Patient patient;
  int changes = 0;
  bool before = false;
  for (int i = 0; i < 600; ++i) {
    patient.Lost(i % 2 == 0 ? 0.095 : 0.105);  // about the limit, half an hour long
    changes += patient.Quarantined() != before ? 1 : 0;
    before = patient.Quarantined();
  }
  EXPECT_LE(changes, 1);
}

TEST(DeviceHealthTest, HotDeviceWaitsUntilItIsCoolerThanItsLimit) {
  Patient patient;
  patient.Read({.canary_ratio = 1, .temperature_c = 84});
  EXPECT_TRUE(patient.state.MayWork());
  EXPECT_EQ(patient.Read({.canary_ratio = 1, .temperature_c = 85}), DeviceCondition::kHot);
  EXPECT_FALSE(patient.state.MayWork());
  EXPECT_THAT(patient.state.Reason(), HasSubstr("85 °C; it waits until it is below 80 °C"));
  EXPECT_EQ(patient.Read({.canary_ratio = 1, .temperature_c = 82}), DeviceCondition::kHot);
  EXPECT_EQ(patient.Read({.canary_ratio = 1, .temperature_c = 79}), DeviceCondition::kGood);
}

TEST(DeviceHealthTest, TheSameReadingTwiceCountsOnce) {
  DeviceHealthState state;
  for (int i = 1; i <= 10; ++i) {
    state.OnReading({.canary_ratio = 1, .canary_lost = 0.5, .measured_unix_ms = 7}, i * kSecondNs);
  }
  EXPECT_EQ(state.condition(), DeviceCondition::kSuspect);
  // Nor do readings that come all at once.
  for (int i = 1; i <= 10; ++i) {
    state.OnReading({.canary_ratio = 1, .canary_lost = 0.5, .measured_unix_ms = 7 + i}, 20 * kSecondNs + i);
  }
  EXPECT_EQ(state.condition(), DeviceCondition::kSuspect);
}

TEST(DeviceHealthTest, DeviceWithoutACanaryIsNeverQuarantined) {
  Patient patient;
  for (int i = 0; i < 10; ++i) EXPECT_EQ(patient.Read({}), DeviceCondition::kGood);
  EXPECT_TRUE(patient.state.Trusts({}));
}

TEST(DeviceHealthTest, OperatorCanVouchForADevice) {
  Patient patient;
  patient.SecondsUntil(true, 0.5);
  patient.state.Forgive();
  EXPECT_TRUE(patient.state.MayWork());
  EXPECT_GT(patient.SecondsUntil(true, 0.5), 3);
}

TEST(DeviceHealthTest, TimesOfABadMomentAreNotTrusted) {
  const DeviceHealthState state;
  EXPECT_TRUE(state.Trusts({.canary_ratio = 0.96, .canary_lost = 0.02}));
  EXPECT_FALSE(state.Trusts({.canary_ratio = 1, .canary_lost = 0.5}));
  EXPECT_FALSE(state.Trusts({.canary_ratio = 0.85}));
  EXPECT_FALSE(state.Trusts({.canary_ratio = 1, .canary_spread = 0.2}));
}

TEST(ClassComparisonTest, DeviceThatDiffersFromTheMedianIsNamed) {
  const auto compared = CompareClass({{"a", 24.0}, {"b", 24.3}, {"c", 20.1}, {"d", 23.8}, {"e", 0}});
  EXPECT_THAT(compared[0].warning, IsEmpty());
  EXPECT_NEAR(compared[2].normalization, 0.84, 0.005);
  EXPECT_THAT(compared[2].warning, HasSubstr("it is 16 % slower than the median of the 4 devices of its class"));
  EXPECT_THAT(compared[3].warning, IsEmpty());
  EXPECT_EQ(compared[4].normalization, 0);
}

TEST(ClassComparisonTest, TwoDevicesAreHeldAgainstEachOtherAndOneAgainstNothing) {
  const auto two = CompareClass({{"a", 24}, {"b", 20}});
  EXPECT_THAT(two[0].warning, HasSubstr("20 % faster than b, the only other device of its class"));
  EXPECT_THAT(two[1].warning, HasSubstr("17 % slower than a"));
  EXPECT_EQ(CompareClass({{"a", 24}})[0].normalization, 0);
  EXPECT_THAT(CompareClass({}), IsEmpty());
}

}  // namespace
}  // namespace tilth
