// What the tracker remembers of devices, over restarts of both: who they are, and what they have done. Counts are
// stored every half a minute at most, so that a tracker that is killed loses those of the last seconds. Whoever has
// been away for long is forgotten, unless an operator has said something about it.
#include <algorithm>

#include "base/logging.h"
#include "farm/event_log.h"
#include "farm/tracker.h"
#include "proto/names.h"

namespace tilth {
namespace {

constexpr int64_t kStoreCountsNs = 30'000'000'000, kParts = 1'000;

bool OperatorHolds(const StoredDevice& settings) {
  return settings.mode != StoredDevice::Mode::kOpen || !settings.reserved_for.empty();
}

}  // namespace

void Tracker::RestoreRecord(const StoredRecord& record) {
  proto::AgentHello hello;
  if (!hello.ParseFromString(record.hello)) {
    // No trial is lost with it, and its agent brings another.
    return LogWarning("the record of device ", Printable(record.agent_id), " is damaged: it is left out");
  }
  DeviceState& device = DeviceOf(record.agent_id, hello.device().device_class());
  device.hello = std::move(hello);
  device.tags.assign(device.hello.tags().begin(), device.hello.tags().end());
  std::sort(device.tags.begin(), device.tags.end());
  if (const auto settings = settings_.find(record.agent_id); settings != settings_.end()) {
    device.settings = settings->second;
  } else {
    device.settings.agent_id = record.agent_id;
  }
  device.trials_done = record.trials_done;
  device.trials_failed = record.trials_failed;
  device.trials_spoiled = record.trials_spoiled;
  // One that was attached has been away only for as long as the tracker.
  if (record.offline_since_ms > 0) device.offline_since_ms = record.offline_since_ms;
  ForgetLater(device);
}

void Tracker::StoreRecord(DeviceState& device) {
  const bool attached = device.port != nullptr;
  Note(store_.PutRecord({.agent_id = device.agent_id,
                         .hello = device.hello.SerializeAsString(),
                         .offline_since_ms = attached ? 0 : device.offline_since_ms,
                         .trials_done = device.trials_done,
                         .trials_failed = device.trials_failed,
                         .trials_spoiled = device.trials_spoiled}));
  if (attached) {
    SetRecordTimer(device, kNever);
  } else {
    ForgetLater(device);
  }
}

void Tracker::RecordSoon(DeviceState& device) {
  if (device.record_timer_ns != kNever) return;
  // Spread: a thousand devices that begin together are not stored together.
  const auto part = static_cast<int64_t>(device.turn % kParts);
  SetRecordTimer(device, clock_.NowNs() + kStoreCountsNs - part * (kStoreCountsNs / 2 / kParts));
}

void Tracker::ForgetLater(DeviceState& device) {
  const int64_t left_ms = device.offline_since_ms + options_.forget_device_ms - clock_.WallMs();
  SetRecordTimer(device, clock_.NowNs() + std::max<int64_t>(left_ms, 0) * 1'000'000);
}

void Tracker::OnRecordTimer(DeviceState& device) {
  if (device.port != nullptr) return StoreRecord(device);
  if (OperatorHolds(device.settings) || !device.leases.empty()) {
    return SetRecordTimer(device, clock_.NowNs() + options_.forget_device_ms * 1'000'000);
  }
  LogEvent(LogLevel::kInfo, "device-forgotten")
      .Add("agent", device.agent_id)
      .Add("host", device.hello.device().host_name());
  Note(store_.DeleteRecord(device.agent_id));
  SetRecordTimer(device, kNever);
  device_timers_.erase({device.rests_until_ns, &device});
  settings_.erase(device.agent_id);
  // Not by its own id, which goes with it.
  devices_.erase(devices_.find(device.agent_id));
}

void Tracker::SetRecordTimer(DeviceState& device, int64_t at_ns) {
  record_timers_.erase({device.record_timer_ns, &device});
  device.record_timer_ns = at_ns;
  if (at_ns != kNever) record_timers_.emplace(at_ns, &device);
}

}  // namespace tilth
