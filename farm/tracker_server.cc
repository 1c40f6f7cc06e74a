#include "farm/tracker_server.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <functional>

#include "base/logging.h"
#include "base/version.h"
#include "farm/agent_stream.h"
#include "farm/tracker_loop.h"
#include "proto/blob.h"
#include "proto/farm.grpc.pb.h"
#include "proto/grpc_status.h"
#include "proto/measure.h"

namespace tilth {
namespace {

// Two blobs of the largest size, however badly they compress.
constexpr int kMaxMessageBytes = 160 << 20;

grpc::ServerUnaryReactor* Refuse(grpc::CallbackServerContext* context, const Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(ToGrpc(status));
  return reactor;
}

const Status& StatusOf(const Status& status) { return status; }
template <typename T>
const Status& StatusOf(const StatusOr<T>& result) {
  return result.status();
}

// A call that `action` does; `fill` makes the reply if it succeeds.
template <typename Result>
grpc::ServerUnaryReactor* Call(TrackerLoop& loop, grpc::CallbackServerContext* context,
                               absl::AnyInvocable<Result(Tracker&)> action, std::function<void(Result)> fill) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  loop.Call<Result>(std::move(action), [reactor, fill = std::move(fill)](Result result) {
    const Status status = StatusOf(result);
    if (status.ok()) fill(std::move(result));
    reactor->Finish(ToGrpc(status));
  });
  return reactor;
}

Status CheckVersion(int theirs) {
  return theirs == kProtocolVersion ? absl::OkStatus() : ProtocolMismatch("tracker", theirs, kProtocolVersion);
}

class FarmService : public proto::Farm::CallbackService {
 public:
  explicit FarmService(TrackerLoop& loop) : loop_(loop) {}

  grpc::ServerUnaryReactor* OpenSession(grpc::CallbackServerContext* context, const proto::OpenSessionRequest* request,
                                        proto::OpenSessionReply* reply) override {
    if (const Status status = CheckVersion(request->protocol_version()); !status.ok()) return Refuse(context, status);
    reply->set_tracker_version(std::string(kVersion));
    return Call<Status>(
        loop_, context, [request](Tracker& tracker) { return tracker.OpenSession(*request); }, [](const Status&) {});
  }

  grpc::ServerUnaryReactor* Submit(grpc::CallbackServerContext* context, const proto::SubmitRequest* request,
                                   proto::SubmitReply* reply) override {
    // Here and not in the tracker's thread, which has other things to do than hashing.
    for (const proto::Blob& blob : request->blobs()) {
      if (const Status unpacked = UnpackBlob(blob).status(); !unpacked.ok()) return Refuse(context, unpacked);
    }
    return Call<StatusOr<int>>(
        loop_, context, [request](Tracker& tracker) { return tracker.Submit(*request); },
        [reply](const StatusOr<int>& accepted) { reply->set_accepted(*accepted); });
  }

  grpc::ServerUnaryReactor* WaitResults(grpc::CallbackServerContext* context, const proto::WaitResultsRequest* request,
                                        proto::WaitResultsReply* reply) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    const auto answer = [reactor, reply](StatusOr<proto::WaitResultsReply> results) {
      if (results.ok()) *reply = *std::move(results);
      reactor->Finish(ToGrpc(results.status()));
    };
    loop_.Post([request, answer](Tracker& tracker) { tracker.WaitResults(*request, answer); }, answer);
    return reactor;
  }

  grpc::ServerUnaryReactor* Cancel(grpc::CallbackServerContext* context, const proto::CancelRequest* request,
                                   proto::CancelReply* reply) override {
    return Call<StatusOr<int>>(
        loop_, context, [request](Tracker& tracker) { return tracker.Cancel(*request); },
        [reply](const StatusOr<int>& cancelled) { reply->set_cancelled(*cancelled); });
  }

  grpc::ServerUnaryReactor* CloseSession(grpc::CallbackServerContext* context,
                                         const proto::CloseSessionRequest* request,
                                         proto::CloseSessionReply*) override {
    return Call<Status>(
        loop_, context, [request](Tracker& tracker) { return tracker.CloseSession(request->session_id()); },
        [](const Status&) {});
  }

 private:
  TrackerLoop& loop_;
};

class OperationsService : public proto::Operations::CallbackService {
 public:
  explicit OperationsService(TrackerLoop& loop) : loop_(loop) {}

  grpc::ServerUnaryReactor* ListDevices(grpc::CallbackServerContext* context, const proto::ListDevicesRequest* request,
                                        proto::ListDevicesReply* reply) override {
    if (const Status status = CheckVersion(request->protocol_version()); !status.ok()) return Refuse(context, status);
    return Call<StatusOr<proto::ListDevicesReply>>(
        loop_, context, [request](Tracker& tracker) { return tracker.ListDevices(request->device_class()); },
        [reply](StatusOr<proto::ListDevicesReply> devices) { *reply = *std::move(devices); });
  }

  grpc::ServerUnaryReactor* ListJobs(grpc::CallbackServerContext* context, const proto::ListJobsRequest* request,
                                     proto::ListJobsReply* reply) override {
    if (const Status status = CheckVersion(request->protocol_version()); !status.ok()) return Refuse(context, status);
    return Call<StatusOr<proto::ListJobsReply>>(
        loop_, context, [](Tracker& tracker) { return tracker.ListJobs(); },
        [reply](StatusOr<proto::ListJobsReply> jobs) { *reply = *std::move(jobs); });
  }

  grpc::ServerUnaryReactor* Drain(grpc::CallbackServerContext* context, const proto::DrainRequest* request,
                                  proto::DrainReply* reply) override {
    if (const Status status = CheckVersion(request->protocol_version()); !status.ok()) return Refuse(context, status);
    proto::SetDeviceRequest change;
    change.set_device(request->agent_id());
    change.set_change(request->resume() ? proto::SetDeviceRequest::RESUME : proto::SetDeviceRequest::DRAIN);
    return Call<StatusOr<int>>(
        loop_, context, [change](Tracker& tracker) { return tracker.SetDevice(change); },
        [reply](const StatusOr<int>& devices) { reply->set_devices(*devices); });
  }

  grpc::ServerUnaryReactor* SetDevice(grpc::CallbackServerContext* context, const proto::SetDeviceRequest* request,
                                      proto::SetDeviceReply* reply) override {
    if (const Status status = CheckVersion(request->protocol_version()); !status.ok()) return Refuse(context, status);
    return Call<StatusOr<int>>(
        loop_, context, [request](Tracker& tracker) { return tracker.SetDevice(*request); },
        [reply](const StatusOr<int>& devices) { reply->set_devices(*devices); });
  }

 private:
  TrackerLoop& loop_;
};

class AgentsService : public proto::Agents::CallbackService {
 public:
  explicit AgentsService(TrackerLoop& loop) : loop_(loop) {}

  grpc::ServerBidiReactor<proto::AgentMessage, proto::TrackerMessage>* Attach(grpc::CallbackServerContext*) override {
    return NewAgentStream(loop_);
  }

  grpc::ServerUnaryReactor* GetBlob(grpc::CallbackServerContext* context, const proto::GetBlobRequest* request,
                                    proto::GetBlobReply* reply) override {
    return Call<StatusOr<proto::Blob>>(
        loop_, context, [request](Tracker& tracker) { return tracker.GetBlob(request->hash()); },
        [reply](StatusOr<proto::Blob> blob) { *reply->mutable_blob() = *std::move(blob); });
  }

 private:
  TrackerLoop& loop_;
};

}  // namespace

class TrackerServer::Impl {
 public:
  explicit Impl(std::unique_ptr<TrackerLoop> loop)
      : loop_(std::move(loop)), farm_(*loop_), operations_(*loop_), agents_(*loop_) {}

  Status Listen(const std::string& address) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(&farm_);
    builder.RegisterService(&operations_);
    builder.RegisterService(&agents_);
    builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
    builder.SetMaxSendMessageSize(kMaxMessageBytes);
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    // Agents and clients ping idle connections to notice a tracker that has vanished without a word.
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5'000);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
    server_ = builder.BuildAndStart();
    if (server_ == nullptr || port_ == 0) {
      return absl::UnavailableError(StrCat("cannot listen at ", address, "; is another tracker running there?"));
    }
    return absl::OkStatus();
  }

  ~Impl() {
    if (server_ == nullptr) return;
    // Long waits and agent streams would go on for ever.
    loop_->Post([](Tracker& tracker) { tracker.Stop(); });
    server_->Shutdown(std::chrono::system_clock::now());
  }

  int port() const { return port_; }

 private:
  std::unique_ptr<TrackerLoop> loop_;  // first: calls that are under way end before it does
  FarmService farm_;
  OperationsService operations_;
  AgentsService agents_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

StatusOr<std::unique_ptr<TrackerServer>> TrackerServer::Start(const std::string& address, const TrackerOptions& options,
                                                              Store& store) {
  TILTH_ASSIGN_OR_RETURN(std::unique_ptr<TrackerLoop> loop, TrackerLoop::Start(options, store, SystemClock()));
  auto impl = std::make_unique<Impl>(std::move(loop));
  TILTH_RETURN_IF_ERROR(impl->Listen(address));
  return std::unique_ptr<TrackerServer>(new TrackerServer(std::move(impl)));
}

TrackerServer::TrackerServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TrackerServer::~TrackerServer() = default;

int TrackerServer::port() const { return impl_->port(); }

}  // namespace tilth
