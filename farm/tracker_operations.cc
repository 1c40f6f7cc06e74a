// The tracker towards operators: lists, and what they say about devices.
#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/time/time.h"
#include "farm/limits.h"
#include "farm/tracker.h"
#include "proto/names.h"

namespace tilth {

proto::ListDevicesReply Tracker::ListDevices(const std::string& device_class) {
  proto::ListDevicesReply reply;
  std::map<const DeviceState*, ClassComparison> compared = CompareClasses();
  for (const auto& [agent_id, device] : devices_) {
    if (!device_class.empty() && device->hello.device().device_class() != device_class) continue;
    proto::DeviceStatus* status = reply.add_devices();
    status->set_agent_id(agent_id);
    *status->mutable_device() = device->hello.device();
    status->set_state(StateOf(*device));
    status->set_reason(ReasonOf(*device));
    status->set_trials_done(device->trials_done);
    status->set_trials_failed(device->trials_failed);
    status->set_trials_spoiled(device->trials_spoiled);
    status->set_busy_seconds(device->busy_seconds);
    *status->mutable_health() = device->hello.health();
    status->set_agent_version(device->hello.agent_version());
    for (const std::string& tag : device->tags) status->add_tags(tag);
    status->set_reserved_for(device->settings.reserved_for);
    const ClassComparison& comparison = compared[device.get()];
    status->set_normalization(comparison.normalization);
    if (device->port != nullptr) {
      status->set_warning(device->health.condition() == DeviceCondition::kSuspect ? device->health.Reason()
                                                                                  : comparison.warning);
      status->set_attached_seconds(static_cast<double>(clock_.NowNs() - device->attached_ns) * 1e-9);
    }
  }
  return reply;
}

proto::DeviceState Tracker::StateOf(const DeviceState& device) const {
  if (device.port == nullptr) return proto::DEVICE_OFFLINE;
  switch (device.settings.mode) {
    case StoredDevice::Mode::kCordoned:
      return device.leases.empty() ? proto::DEVICE_CORDONED : proto::DEVICE_DRAINING;
    case StoredDevice::Mode::kDraining:
      return device.leases.empty() ? proto::DEVICE_CORDONED : proto::DEVICE_DRAINING;
    case StoredDevice::Mode::kOpen:
      break;
  }
  const DeviceCondition condition = device.health.condition();
  if (condition != DeviceCondition::kGood && condition != DeviceCondition::kSuspect) return proto::DEVICE_QUARANTINED;
  if (!device.leases.empty()) return proto::DEVICE_BUSY;
  return device.rests_until_ns == 0 ? proto::DEVICE_IDLE : proto::DEVICE_RESTING;
}

std::string Tracker::ReasonOf(const DeviceState& device) const {
  switch (StateOf(device)) {
    case proto::DEVICE_OFFLINE:
      return StrCat(
          "its agent has not been attached for ",
          absl::FormatDuration(absl::Seconds(std::max<int64_t>(0, clock_.WallMs() - device.offline_since_ms) / 1000)));
    case proto::DEVICE_IDLE:
      return "waits for trials";
    case proto::DEVICE_RESTING:
      return StrCat("rests, because ", device.failures_in_row, " trials in a row have come to nothing on it");
    case proto::DEVICE_BUSY:
      return "works on trials";
    case proto::DEVICE_QUARANTINED:
      return device.health.Reason();
    case proto::DEVICE_DRAINING:
      return "finishes what it has; an operator lets it have no more";
    default:
      return "an operator lets it have no trials";
  }
}

double Tracker::EtaSeconds(const SessionState& session) const {
  const auto left_seconds = [](const SessionState& of) {
    return of.trial_seconds * static_cast<double>(static_cast<int64_t>(of.queue.size()) + of.running);
  };
  const double own = left_seconds(session);
  // Shares are equal: until this one ends, every other user gets at most as much.
  std::map<std::string, double> others;
  double before = 0;
  for (const auto& [number, other] : sessions_by_number_) {
    if (other == &session || other->stored.device_class != session.stored.device_class) continue;
    if (other->stored.user != session.stored.user) {
      others[other->stored.user] += left_seconds(*other);
    } else if (std::pair(-other->stored.priority, number) < std::pair(-session.stored.priority, session.number)) {
      before += left_seconds(*other);
    }
  }
  double total = own + before;
  for (const auto& [user, seconds] : others) total += std::min(seconds, own + before);
  int devices = 0;
  // After a restart, a class is not known before a trial of it is queued or a device of it attaches.
  const auto device_class = classes_.find(session.stored.device_class);
  if (device_class == classes_.end()) return 0;
  for (const auto& [key, group] : device_class->second->groups) devices += Fits(session, group) ? group.usable : 0;
  return devices == 0 ? 0 : total / devices;
}

TrackerGauges Tracker::Gauges() const {
  // DEVICE_IDLE is "idle".
  constexpr size_t kPrefix = sizeof("DEVICE_") - 1;
  TrackerGauges gauges{.sessions = static_cast<int64_t>(sessions_.size())};
  for (const auto& [id, session] : sessions_) {
    const StoredSession& stored = session->stored;
    gauges.queued[{stored.device_class, stored.user}] += static_cast<int64_t>(session->queue.size());
  }
  for (const auto& [agent_id, device] : devices_) {
    const std::string state = absl::AsciiStrToLower(proto::DeviceState_Name(StateOf(*device)).substr(kPrefix));
    ++gauges.devices[{device->hello.device().device_class(), state}];
  }
  return gauges;
}

proto::ListJobsReply Tracker::ListJobs() {
  proto::ListJobsReply reply;
  std::map<uint64_t, const SessionState*> by_age(sessions_by_number_.begin(), sessions_by_number_.end());
  for (const auto& [number, session] : by_age) {
    proto::JobStatus* job = reply.add_jobs();
    job->set_session_id(session->stored.id);
    job->set_name(session->stored.name);
    job->set_device_class(session->stored.device_class);
    job->set_queued(static_cast<int64_t>(session->queue.size()));
    job->set_running(session->running);
    job->set_undelivered(static_cast<int64_t>(session->results.size()));
    job->set_delivered(session->delivered);
    job->set_user(session->stored.user);
    job->set_priority(session->stored.priority);
    job->set_eta_seconds(EtaSeconds(*session));
    job->set_idle_seconds(static_cast<double>(clock_.NowNs() - session->last_seen_ns) * 1e-9);
  }
  return reply;
}

StatusOr<int> Tracker::SetDevice(const proto::SetDeviceRequest& request) {
  if (!proto::SetDeviceRequest::Change_IsValid(request.change())) {
    return absl::InvalidArgumentError(StrCat("no such change of a device: ", static_cast<int>(request.change())));
  }
  if (request.change() == proto::SetDeviceRequest::RESERVE && request.user().empty()) {
    return absl::InvalidArgumentError("a device is reserved for a user; none is given");
  }
  TILTH_RETURN_IF_ERROR(CheckUser(request.user()));
  std::vector<DeviceState*> named, begun;
  for (auto& [agent_id, device] : devices_) {
    const std::string& host = device->hello.device().host_name();
    if (agent_id == request.device() || host == request.device()) {
      named.push_back(device.get());
    } else if (MeansDevice(request.device(), host, agent_id)) {
      begun.push_back(device.get());
    }
  }
  // All of a host are meant together, but not all whose ids happen to begin alike.
  const std::vector<DeviceState*>& meant = named.empty() ? begun : named;
  if (meant.empty()) {
    return absl::NotFoundError(StrCat("no device has the agent id or host name '", Printable(request.device()),
                                      "'; `tilth farm devices` lists them"));
  }
  if (named.empty() && begun.size() > 1) {
    return absl::InvalidArgumentError(StrCat("the agent ids of ", meant.size(), " devices begin with '",
                                             Printable(request.device()), "'; give more of one"));
  }
  for (DeviceState* device : meant) Apply(*device, request);
  return static_cast<int>(meant.size());
}

void Tracker::Apply(DeviceState& device, const proto::SetDeviceRequest& request) {
  switch (request.change()) {
    case proto::SetDeviceRequest::CORDON:
      device.settings.mode = StoredDevice::Mode::kCordoned;
      break;
    case proto::SetDeviceRequest::DRAIN:
      device.settings.mode = StoredDevice::Mode::kDraining;
      break;
    case proto::SetDeviceRequest::RESUME:
      device.settings.mode = StoredDevice::Mode::kOpen;
      device.health.Forgive();
      break;
    case proto::SetDeviceRequest::RESERVE:
      device.settings.reserved_for = request.user();
      break;
    default:
      device.settings.reserved_for.clear();
      break;
  }
  if (request.change() == proto::SetDeviceRequest::RESUME) {
    device.failures_in_row = 0;
    EndRest(device);
  }
  settings_[device.agent_id] = device.settings;
  Note(store_.PutDevice(device.settings));
  UpdateFree(device);
  if (request.change() == proto::SetDeviceRequest::CORDON) {
    TakeBackWaiting(device, "an operator has cordoned its device");
  }
  Dispatch(*device.device_class);
}

}  // namespace tilth
