// The tracker and its devices' health: readings in, and who may not get trials because of them (device_health.h).
#include "farm/event_log.h"
#include "farm/tracker.h"
#include "proto/convert.h"
#include "proto/names.h"

namespace tilth {
namespace {

// Whether a result of this kind may come out differently on a device that is well.
bool DependsOnTime(const proto::MeasureResult& result) {
  switch (result.error()) {
    case proto::MEASURE_ERROR_NONE:
    case proto::MEASURE_ERROR_RUN_TIMEOUT:
    case proto::MEASURE_ERROR_IMPLAUSIBLE_TIME:
      return result.status_code() == 0;
    default:
      return false;
  }
}

}  // namespace

void Tracker::OnHealth(DeviceState& device, const proto::DeviceHealth& reading) {
  *device.hello.mutable_health() = reading;
  if (!options_.quarantine) return;
  const DeviceCondition before = device.health.condition();
  const bool could_work = device.health.MayWork();
  device.health.OnReading(FromProto(reading), clock_.NowNs());
  const DeviceCondition condition = device.health.condition();
  if (condition != before && condition != DeviceCondition::kSuspect) {
    LogEvent(LogLevel::kInfo, "device-health")
        .Add("agent", device.agent_id)
        .Add("condition", ToString(condition))
        .Add("why", device.health.Reason());
  }
  if (device.health.MayWork() == could_work) return;
  UpdateFree(device);
  if (could_work) TakeBackWaiting(device, device.health.Reason());
  Dispatch(*device.device_class);
}

void Tracker::TakeBackWaiting(DeviceState& device, const std::string& reason) {
  // By value: what is returned leaves the device's list.
  const std::vector<TrialState*> leases = device.leases;
  for (TrialState* trial : leases) {
    if (!trial->started) LoseLease(*trial, reason, Loss::kTakenBack);
  }
}

bool Tracker::Spoiled(const DeviceState& device, const proto::MeasureResult& result) const {
  return options_.quarantine && DependsOnTime(result) && !device.health.Trusts(FromProto(result.health()));
}

void Tracker::MeasureAgain(TrialState& trial, const proto::MeasureResult& spoiled) {
  const std::string cause = LossOf(FromProto(spoiled.health())).cause;
  if (++trial.lease.spoiled < options_.max_spoiled) return LoseLease(trial, cause, Loss::kTakenBack);
  proto::MeasureResult result;
  result.set_status_code(static_cast<int>(absl::StatusCode::kUnavailable));
  result.set_status_message(StrCat("measured ", trial.lease.spoiled,
                                   " times on devices that were not well; the last time, ",
                                   Printable(trial.lease.agent_id), ": ", cause));
  Finish(trial, std::move(result));
}

std::map<const DeviceState*, ClassComparison> Tracker::CompareClasses() const {
  std::map<const ClassState*, std::vector<const DeviceState*>> classes;
  for (const auto& [agent_id, device] : devices_) {
    if (device->port != nullptr) classes[device->device_class].push_back(device.get());
  }
  std::map<const DeviceState*, ClassComparison> compared;
  for (const auto& [device_class, devices] : classes) {
    std::vector<ClassMember> members;
    for (const DeviceState* device : devices) {
      const double ratio = device->hello.health().canary_ratio();
      members.push_back({device->hello.device().host_name(), ratio * device->hello.device().peak_gflops()});
    }
    std::vector<ClassComparison> comparisons = CompareClass(members);
    for (size_t i = 0; i < devices.size(); ++i) compared[devices[i]] = std::move(comparisons[i]);
  }
  return compared;
}

}  // namespace tilth
