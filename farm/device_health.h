// Whether a device may measure: a state machine over the readings of its canary (proto/measure.proto, DeviceHealth).
// Pure: time is given, nothing is read or sent.
//
//     good ◄──────────► suspect ──── bad_readings of the last `window` are bad ────► quarantined
//      ▲                   ▲                                                          │      ▲
//      │                   │                                            a well reading│      │one that is not
//      └───────────────────┴── well_readings in a row, over well_ns ── recovering ◄───┘      │
//                                                                          └─────────────────┘
//
// A reading's *loss* is the largest of: how much slower the clock is than at calibration, the share of the core that
// others took, and how uneven the passes were. Below `suspect_loss` all is well; above `bad_loss` it is bad, and the
// device pauses until the next reading. A device that is quarantined again soon after it returned has to prove itself
// for twice as long as before.
//
// Beside this stands a thermal gate: at hot_c and above, a device waits until it is cool_by_c cooler.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "proto/measure.h"

namespace tilth {

struct HealthPolicy {
  double suspect_loss = 0.03;
  double bad_loss = 0.10;
  double well_loss = 0.05;  // to return; below bad_loss, so that a device cannot hang on the edge
  size_t window = 5, bad_readings = 3;
  int well_readings = 5;
  int64_t well_ns = 10'000'000'000;
  int64_t longest_well_ns = 300'000'000'000;
  int64_t relapse_ns = 600'000'000'000;   // quarantined again this soon after a return: a relapse
  int64_t min_interval_ns = 500'000'000;  // a reading sooner after the last one adds nothing
  double hot_c = 85, cool_by_c = 5;
};

enum class DeviceCondition { kGood, kSuspect, kQuarantined, kRecovering, kHot };
std::string_view ToString(DeviceCondition condition);  // "good", "suspect", "quarantined", "recovering", "hot"

// The largest loss of a reading, and in words what it is: "other processes take 48 % of its measuring core". 0 if the
// canary has not been measured.
struct HealthLoss {
  double share = 0;
  std::string cause;
};
HealthLoss LossOf(const DeviceHealth& health);

// Not thread-safe.
class DeviceHealthState {
 public:
  explicit DeviceHealthState(const HealthPolicy& policy = {}) : policy_(policy) {}

  // Takes a reading that came at `now_ns`. One without a canary moves only the thermal gate; one with the time of the
  // last one is the last one again, and ignored.
  void OnReading(const DeviceHealth& health, int64_t now_ns);

  // An operator vouches for the device: good from now on, until readings say otherwise.
  void Forgive();

  DeviceCondition condition() const { return hot_ ? DeviceCondition::kHot : condition_; }
  // Whether it may get trials: good, or suspect and its last reading not bad.
  bool MayWork() const;
  // Whether a time measured in this health may be kept.
  bool Trusts(const DeviceHealth& health) const { return LossOf(health).share <= policy_.bad_loss; }

  // Why it is in its condition and what it takes to change, for people: "other processes take 48 % of its measuring
  // core; it returns by itself when readings are well for 10 s". Empty when good.
  std::string Reason() const;

  const DeviceHealth& last() const { return last_; }

 private:
  void OnLoss(const HealthLoss& loss, int64_t now_ns);
  void Quarantine(int64_t now_ns);
  void Recover(double loss, int64_t now_ns);

  const HealthPolicy policy_;
  DeviceCondition condition_ = DeviceCondition::kGood;  // never kHot
  bool hot_ = false;
  DeviceHealth last_;
  std::deque<double> recent_;  // losses, the newest at the back
  std::string cause_;          // of the last loss that mattered
  int64_t last_ns_ = 0;        // when the last reading that counted came; 0: none has
  int well_ = 0;               // well readings since the last bad one, while recovering
  int64_t well_since_ns_ = 0, returned_ns_ = 0;
  int64_t needed_well_ns_ = 0;  // before the next return
};

// How a device compares with the others of its class, by what its core does now: calibrated peak x canary ratio.
struct ClassMember {
  std::string name;
  double gflops = 0;  // 0: unknown, and left out
};
struct ClassComparison {
  double normalization = 0;  // its speed / the median of its class; 0: unknown
  std::string warning;       // it differs by more than 10 %; empty: it does not
};
// One per member, in order. Three or more are held against their median, two against each other, one against nothing.
std::vector<ClassComparison> CompareClass(const std::vector<ClassMember>& members);

}  // namespace tilth
