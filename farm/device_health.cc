#include "farm/device_health.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_format.h"
#include "base/statistics.h"
#include "base/strings.h"

namespace tilth {
namespace {

constexpr double kClassTolerance = 0.10;

std::string Percent(double share) { return absl::StrFormat("%.0f %%", 100 * share); }
std::string Seconds(int64_t ns) { return absl::StrFormat("%.0f s", static_cast<double>(ns) * 1e-9); }

}  // namespace

std::string_view ToString(DeviceCondition condition) {
  switch (condition) {
    case DeviceCondition::kGood:
      return "good";
    case DeviceCondition::kSuspect:
      return "suspect";
    case DeviceCondition::kQuarantined:
      return "quarantined";
    case DeviceCondition::kRecovering:
      return "recovering";
    case DeviceCondition::kHot:
      return "hot";
  }
  return "unknown";
}

HealthLoss LossOf(const DeviceHealth& health) {
  if (health.canary_ratio <= 0) return {};
  const double slower = std::max(0.0, 1 - health.canary_ratio);
  HealthLoss loss{slower, StrCat("its clock is ", Percent(slower), " slower than when it was calibrated",
                                 health.throttled ? ", and the system says that it is throttled" : "")};
  if (health.canary_lost > loss.share) {
    loss = {health.canary_lost, StrCat("other processes take ", Percent(health.canary_lost), " of its measuring core")};
  }
  if (health.canary_spread > loss.share) {
    loss = {health.canary_spread, StrCat("its speed varies by ", Percent(health.canary_spread))};
  }
  return loss;
}

void DeviceHealthState::OnReading(const DeviceHealth& health, int64_t now_ns) {
  if (health.measured_unix_ms != 0 && health.measured_unix_ms == last_.measured_unix_ms) return;
  last_ = health;
  if (health.temperature_c > 0) {
    hot_ = health.temperature_c >= (hot_ ? policy_.hot_c - policy_.cool_by_c : policy_.hot_c);
  }
  if (health.canary_ratio <= 0 || (last_ns_ != 0 && now_ns - last_ns_ < policy_.min_interval_ns)) return;
  last_ns_ = now_ns;
  OnLoss(LossOf(health), now_ns);
}

void DeviceHealthState::OnLoss(const HealthLoss& loss, int64_t now_ns) {
  recent_.push_back(loss.share);
  if (recent_.size() > policy_.window) recent_.pop_front();
  const bool away = condition_ == DeviceCondition::kQuarantined || condition_ == DeviceCondition::kRecovering;
  if (loss.share > (away ? policy_.well_loss : policy_.suspect_loss)) cause_ = loss.cause;
  if (away) return Recover(loss.share, now_ns);
  const auto bad =
      std::count_if(recent_.begin(), recent_.end(), [&](double share) { return share > policy_.bad_loss; });
  if (static_cast<size_t>(bad) >= policy_.bad_readings) return Quarantine(now_ns);
  condition_ = loss.share > policy_.suspect_loss ? DeviceCondition::kSuspect : DeviceCondition::kGood;
}

void DeviceHealthState::Quarantine(int64_t now_ns) {
  condition_ = DeviceCondition::kQuarantined;
  const bool relapse = returned_ns_ != 0 && now_ns - returned_ns_ < policy_.relapse_ns;
  needed_well_ns_ = relapse ? std::min(2 * needed_well_ns_, policy_.longest_well_ns) : policy_.well_ns;
}

void DeviceHealthState::Recover(double loss, int64_t now_ns) {
  if (loss > policy_.bad_loss) {
    condition_ = DeviceCondition::kQuarantined;
    well_ = 0;
    return;
  }
  // Neither well nor bad: says nothing. A device that works would go on with it.
  if (loss > policy_.well_loss) return;
  if (well_++ == 0) well_since_ns_ = now_ns;
  condition_ = DeviceCondition::kRecovering;
  if (well_ < policy_.well_readings || now_ns - well_since_ns_ < needed_well_ns_) return;
  condition_ = loss > policy_.suspect_loss ? DeviceCondition::kSuspect : DeviceCondition::kGood;
  well_ = 0;
  returned_ns_ = now_ns;
  recent_.clear();
}

bool DeviceHealthState::MayWork() const {
  if (hot_ || condition_ == DeviceCondition::kQuarantined || condition_ == DeviceCondition::kRecovering) return false;
  return recent_.empty() || recent_.back() <= policy_.bad_loss;
}

void DeviceHealthState::Forgive() {
  condition_ = DeviceCondition::kGood;
  hot_ = false;
  well_ = 0;
  returned_ns_ = 0;
  recent_.clear();
}

std::string DeviceHealthState::Reason() const {
  if (hot_) {
    return absl::StrFormat("%.0f °C; it waits until it is below %.0f °C", last_.temperature_c,
                           policy_.hot_c - policy_.cool_by_c);
  }
  switch (condition_) {
    case DeviceCondition::kQuarantined:
      return StrCat(cause_, "; it returns by itself after ", Seconds(needed_well_ns_), " of good readings");
    case DeviceCondition::kRecovering:
      return StrCat("good readings for ", Seconds(last_ns_ - well_since_ns_), " of ", Seconds(needed_well_ns_),
                    "; before, ", cause_);
    case DeviceCondition::kSuspect:
      return StrCat(cause_, MayWork() ? "; it is watched" : "; it pauses until the next reading");
    default:
      return "";
  }
}

std::vector<ClassComparison> CompareClass(const std::vector<ClassMember>& members) {
  std::vector<ClassComparison> comparisons(members.size());
  std::vector<double> speeds;
  for (const ClassMember& member : members) {
    if (member.gflops > 0) speeds.push_back(member.gflops);
  }
  if (speeds.size() < 2) return comparisons;
  const double median = Quantile(speeds, 0.5);
  for (size_t i = 0; i < members.size(); ++i) {
    if (members[i].gflops <= 0) continue;
    comparisons[i].normalization = members[i].gflops / median;
    double against = median;
    std::string whom = StrCat("the median of the ", speeds.size(), " devices of its class");
    if (speeds.size() == 2) {
      const auto other = std::find_if(members.begin(), members.end(), [&](const ClassMember& member) {
        return member.gflops > 0 && &member != &members[i];
      });
      against = other->gflops;
      whom = StrCat(other->name, ", the only other device of its class");
    }
    const double difference = members[i].gflops / against - 1;
    if (std::abs(difference) <= kClassTolerance) continue;
    comparisons[i].warning = StrCat("it is ", Percent(std::abs(difference)), difference < 0 ? " slower" : " faster",
                                    " than ", whom, ": look at its clock and cooling, or give it a class of its own");
  }
  return comparisons;
}

}  // namespace tilth
