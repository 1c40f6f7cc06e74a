// What operators ask a tracker: devices, jobs, drain (client.h).
#include "farm/client.h"
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
                       .trials_done = status.trials_done(),
                       .trials_failed = status.trials_failed(),
                       .busy_seconds = status.busy_seconds(),
                       .attached_seconds = status.attached_seconds(),
                       .agent_version = status.agent_version(),
                       .canary_ratio = status.health().canary_ratio()});
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
                    .device_class = job.device_class(),
                    .queued = job.queued(),
                    .running = job.running(),
                    .undelivered = job.undelivered(),
                    .delivered = job.delivered(),
                    .idle_seconds = job.idle_seconds()});
  }
  return jobs;
}

Status DrainDevice(const std::string& address, const std::string& device, bool resume, int64_t timeout_ms) {
  proto::DrainRequest request;
  request.set_protocol_version(kProtocolVersion);
  request.set_agent_id(device);
  request.set_resume(resume);
  proto::DrainReply reply;
  return CallOperations(address, timeout_ms, &proto::Operations::Stub::Drain, request, &reply);
}

}  // namespace tilth
