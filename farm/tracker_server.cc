#include "farm/tracker_server.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "base/logging.h"
#include "base/version.h"
#include "farm/agent_stream.h"
#include "proto/farm.grpc.pb.h"
#include "proto/grpc_status.h"
#include "proto/measure.h"

namespace tilth {
namespace {

constexpr std::chrono::milliseconds kTick{100};
constexpr int kMaxMessageBytes = 256 << 20;

grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context, const Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(ToGrpc(status));
  return reactor;
}

Status CheckVersion(int theirs) {
  return theirs == kProtocolVersion ? absl::OkStatus() : ProtocolMismatch("tracker", theirs, kProtocolVersion);
}

class FarmService : public proto::Farm::CallbackService {
 public:
  explicit FarmService(Tracker& tracker) : tracker_(tracker) {}

  grpc::ServerUnaryReactor* OpenSession(grpc::CallbackServerContext* context, const proto::OpenSessionRequest* request,
                                        proto::OpenSessionReply* reply) override {
    Status status = CheckVersion(request->protocol_version());
    if (status.ok()) status = tracker_.OpenSession(*request);
    reply->set_tracker_version(std::string(kVersion));
    return Answer(context, status);
  }

  grpc::ServerUnaryReactor* PutBlob(grpc::CallbackServerContext* context, const proto::PutBlobRequest* request,
                                    proto::PutBlobReply*) override {
    return Answer(context, tracker_.PutBlob(request->hash(), request->data()));
  }

  grpc::ServerUnaryReactor* Submit(grpc::CallbackServerContext* context, const proto::SubmitRequest* request,
                                   proto::SubmitReply* reply) override {
    const StatusOr<int> accepted = tracker_.Submit(*request);
    if (accepted.ok()) reply->set_accepted(*accepted);
    return Answer(context, accepted.status());
  }

  grpc::ServerUnaryReactor* WaitResults(grpc::CallbackServerContext* context, const proto::WaitResultsRequest* request,
                                        proto::WaitResultsReply* reply) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    tracker_.WaitResults(*request, [reactor, reply](StatusOr<proto::WaitResultsReply> results) {
      if (results.ok()) *reply = *std::move(results);
      reactor->Finish(ToGrpc(results.status()));
    });
    return reactor;
  }

  grpc::ServerUnaryReactor* Cancel(grpc::CallbackServerContext* context, const proto::CancelRequest* request,
                                   proto::CancelReply* reply) override {
    const StatusOr<int> cancelled = tracker_.Cancel(*request);
    if (cancelled.ok()) reply->set_cancelled(*cancelled);
    return Answer(context, cancelled.status());
  }

  grpc::ServerUnaryReactor* CloseSession(grpc::CallbackServerContext* context,
                                         const proto::CloseSessionRequest* request,
                                         proto::CloseSessionReply*) override {
    return Answer(context, tracker_.CloseSession(request->session_id()));
  }

 private:
  Tracker& tracker_;
};

class OperationsService : public proto::Operations::CallbackService {
 public:
  explicit OperationsService(Tracker& tracker) : tracker_(tracker) {}

  grpc::ServerUnaryReactor* ListDevices(grpc::CallbackServerContext* context, const proto::ListDevicesRequest* request,
                                        proto::ListDevicesReply* reply) override {
    const Status status = CheckVersion(request->protocol_version());
    if (status.ok()) *reply = tracker_.ListDevices(request->device_class());
    return Answer(context, status);
  }

  grpc::ServerUnaryReactor* ListJobs(grpc::CallbackServerContext* context, const proto::ListJobsRequest* request,
                                     proto::ListJobsReply* reply) override {
    const Status status = CheckVersion(request->protocol_version());
    if (status.ok()) *reply = tracker_.ListJobs();
    return Answer(context, status);
  }

  grpc::ServerUnaryReactor* Drain(grpc::CallbackServerContext* context, const proto::DrainRequest* request,
                                  proto::DrainReply* reply) override {
    if (const Status status = CheckVersion(request->protocol_version()); !status.ok()) return Answer(context, status);
    const StatusOr<int> devices = tracker_.Drain(request->agent_id(), request->resume());
    if (devices.ok()) reply->set_devices(*devices);
    return Answer(context, devices.status());
  }

 private:
  Tracker& tracker_;
};

class AgentsService : public proto::Agents::CallbackService {
 public:
  explicit AgentsService(Tracker& tracker) : tracker_(tracker) {}

  grpc::ServerBidiReactor<proto::AgentMessage, proto::TrackerMessage>* Attach(grpc::CallbackServerContext*) override {
    return NewAgentStream(tracker_);
  }

  grpc::ServerUnaryReactor* GetBlob(grpc::CallbackServerContext* context, const proto::GetBlobRequest* request,
                                    proto::GetBlobReply* reply) override {
    StatusOr<std::string> blob = tracker_.GetBlob(request->hash());
    if (blob.ok()) reply->set_data(*std::move(blob));
    return Answer(context, blob.status());
  }

 private:
  Tracker& tracker_;
};

// Calls Tick until it is destroyed.
class Ticker {
 public:
  explicit Ticker(Tracker& tracker) : thread_([this, &tracker] { Run(tracker); }) {}
  ~Ticker() {
    {
      std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }

 private:
  void Run(Tracker& tracker) {
    std::unique_lock lock(mutex_);
    while (!wake_.wait_for(lock, kTick, [this] { return stop_; })) {
      lock.unlock();
      tracker.Tick();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace

class TrackerServer::Impl {
 public:
  explicit Impl(std::unique_ptr<Tracker> tracker)
      : tracker_(std::move(tracker)), farm_(*tracker_), operations_(*tracker_), agents_(*tracker_) {}

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
    ticker_.emplace(*tracker_);
    return absl::OkStatus();
  }

  ~Impl() {
    if (server_ == nullptr) return;
    // Long waits and agent streams would go on for ever.
    tracker_->Stop();
    server_->Shutdown(std::chrono::system_clock::now());
    ticker_.reset();
  }

  int port() const { return port_; }

 private:
  std::unique_ptr<Tracker> tracker_;
  FarmService farm_;
  OperationsService operations_;
  AgentsService agents_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  std::optional<Ticker> ticker_;
};

StatusOr<std::unique_ptr<TrackerServer>> TrackerServer::Start(const std::string& address, const TrackerOptions& options,
                                                              Store& store) {
  TILTH_ASSIGN_OR_RETURN(std::unique_ptr<Tracker> tracker, Tracker::Create(options, store, SystemClock()));
  auto impl = std::make_unique<Impl>(std::move(tracker));
  TILTH_RETURN_IF_ERROR(impl->Listen(address));
  return std::unique_ptr<TrackerServer>(new TrackerServer(std::move(impl)));
}

TrackerServer::TrackerServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TrackerServer::~TrackerServer() = default;

int TrackerServer::port() const { return impl_->port(); }

}  // namespace tilth
