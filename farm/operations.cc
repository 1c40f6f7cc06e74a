#include "farm/operations.h"

#include "farm/operator_call.h"
#include "proto/convert.h"

namespace tilth {
namespace {

std::string StateName(proto::DeviceState state) {
  switch (state) {
    case proto::DEVICE_IDLE:
      return "idle";
    case proto::DEVICE_BUSY:
      return "busy";
    case proto::DEVICE_DRAINING:
      return "draining";
    case proto::DEVICE_CORDONED:
      return "cordoned";
    case proto::DEVICE_QUARANTINED:
      return "quarantined";
    case proto::DEVICE_RESTING:
      return "resting";
    default:
      return "offline";
  }
}

}  // namespace

StatusOr<std::vector<DeviceStatus>> ListDevices(const std::string& address, const std::string& device_class,
                                                int64_t timeout_ms, bool in_the_clear) {
  proto::ListDevicesRequest request;
  request.set_protocol_version(kProtocolVersion);
  request.set_device_class(device_class);
  proto::ListDevicesReply reply;
  TILTH_RETURN_IF_ERROR(
      CallOperations(address, timeout_ms, &proto::Operations::Stub::ListDevices, request, &reply, in_the_clear));
  std::vector<DeviceStatus> devices;
  for (const proto::DeviceStatus& status : reply.devices()) {
    devices.push_back({.agent_id = status.agent_id(),
                       .device = FromProto(status.device()),
                       .state = StateName(status.state()),
                       .reason = status.reason(),
                       .warning = status.warning(),
                       .tags = {status.tags().begin(), status.tags().end()},
                       .reserved_for = status.reserved_for(),
                       .health = FromProto(status.health()),
                       .normalization = status.normalization(),
                       .trials_done = status.trials_done(),
                       .trials_failed = status.trials_failed(),
                       .trials_spoiled = status.trials_spoiled(),
                       .busy_seconds = status.busy_seconds(),
                       .attached_seconds = status.attached_seconds(),
                       .agent_version = status.agent_version()});
  }
  return devices;
}

StatusOr<std::vector<JobStatus>> ListJobs(const std::string& address, int64_t timeout_ms) {
  proto::ListJobsRequest request;
  request.set_protocol_version(kProtocolVersion);
  proto::ListJobsReply reply;
  TILTH_RETURN_IF_ERROR(CallOperations(address, timeout_ms, &proto::Operations::Stub::ListJobs, request, &reply));
  std::vector<JobStatus> jobs;
  for (const proto::JobStatus& job : reply.jobs()) {
    jobs.push_back({.session_id = job.session_id(),
                    .name = job.name(),
                    .user = job.user(),
                    .device_class = job.device_class(),
                    .priority = job.priority(),
                    .queued = job.queued(),
                    .running = job.running(),
                    .undelivered = job.undelivered(),
                    .delivered = job.delivered(),
                    .idle_seconds = job.idle_seconds(),
                    .eta_seconds = job.eta_seconds()});
  }
  return jobs;
}

std::string_view ToString(DeviceChange change) {
  constexpr std::string_view kNames[] = {"cordon", "drain", "resume", "reserve", "release"};
  return kNames[static_cast<size_t>(change)];
}

StatusOr<int> SetDevice(const std::string& address, const std::string& device, DeviceChange change,
                        const std::string& user, int64_t timeout_ms) {
  proto::SetDeviceRequest request;
  request.set_protocol_version(kProtocolVersion);
  request.set_device(device);
  request.set_change(static_cast<proto::SetDeviceRequest::Change>(change));  // the same order
  request.set_user(user);
  proto::SetDeviceReply reply;
  TILTH_RETURN_IF_ERROR(CallOperations(address, timeout_ms, &proto::Operations::Stub::SetDevice, request, &reply));
  return reply.devices();
}

}  // namespace tilth
