// What operators ask a tracker: devices, jobs, drain (client.h).
#include <grpcpp/grpcpp.h>

#include <chrono>

#include "farm/client.h"
#include "proto/convert.h"
#include "proto/dial.h"
#include "proto/farm.grpc.pb.h"
#include "proto/grpc_status.h"

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

// Waits for the tracker to answer at all until the deadline; a refusal to connect alone is not final.
class Call {
 public:
  Call(const std::string& address, int64_t timeout_ms)
      : address_(address), stub(proto::Operations::NewStub(DialTracker(address))) {
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(timeout_ms));
    context.set_wait_for_ready(true);
  }

  Status Finish(const grpc::Status& status) const {
    if (status.error_code() != grpc::DEADLINE_EXCEEDED && status.error_code() != grpc::UNAVAILABLE) {
      return FromGrpc(status);
    }
    return absl::UnavailableError(StrCat("no tracker answers at ", address_, " (", status.error_message(),
                                         "); start one with `tilth farm serve`"));
  }

 private:
  std::string address_;

 public:
  std::unique_ptr<proto::Operations::Stub> stub;
  grpc::ClientContext context;
};

}  // namespace

StatusOr<std::vector<DeviceStatus>> ListDevices(const std::string& address, const std::string& device_class,
                                                int64_t timeout_ms) {
  Call call(address, timeout_ms);
  proto::ListDevicesRequest request;
  request.set_protocol_version(kProtocolVersion);
  request.set_device_class(device_class);
  proto::ListDevicesReply reply;
  TILTH_RETURN_IF_ERROR(call.Finish(call.stub->ListDevices(&call.context, request, &reply)));
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
  Call call(address, timeout_ms);
  proto::ListJobsRequest request;
  request.set_protocol_version(kProtocolVersion);
  proto::ListJobsReply reply;
  TILTH_RETURN_IF_ERROR(call.Finish(call.stub->ListJobs(&call.context, request, &reply)));
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
  Call call(address, timeout_ms);
  proto::DrainRequest request;
  request.set_protocol_version(kProtocolVersion);
  request.set_agent_id(device);
  request.set_resume(resume);
  proto::DrainReply reply;
  return call.Finish(call.stub->Drain(&call.context, request, &reply));
}

}  // namespace tilth
