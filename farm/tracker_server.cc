#include "farm/tracker_server.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <functional>
#include <optional>
#include <set>

#include "absl/strings/ascii.h"
#include "base/version.h"
#include "farm/agent_stream.h"
#include "farm/call_gate.h"
#include "farm/enrolment_service.h"
#include "farm/security.h"
#include "farm/tracker_loop.h"
#include "proto/blob.h"
#include "proto/farm.grpc.pb.h"
#include "proto/grpc_status.h"
#include "proto/measure.h"

namespace tilth {
namespace {

// Two blobs of the largest size, however badly they compress.
constexpr int kMaxMessageBytes = 160 << 20;

grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context, const Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(ToGrpc(status));
  return reactor;
}

const Status& StatusOf(const Status& status) { return status; }
template <typename T>
const Status& StatusOf(const StatusOr<T>& result) {
  return result.status();
}

// What a service needs of its server.
struct Backend {
  TrackerLoop& loop;
  FarmSecurity* security;  // null: in the clear

  // Writes to the audit log, if there is one. That it cannot be written may pass, as it does when a disk gets space.
  Status Audit(const Peer& peer, const AuditEvent& event) const {
    const Status written = security == nullptr ? absl::OkStatus() : security->audit().Write(peer, event);
    return written.ok() ? written : absl::UnavailableError(written.message());
  }
};

// A call that `action` does; `fill` makes the reply if it succeeds.
template <typename Result>
grpc::ServerUnaryReactor* Call(const Backend& backend, grpc::CallbackServerContext* context,
                               absl::AnyInvocable<Result(Tracker&)> action, std::function<void(Result)> fill) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  backend.loop.Call<Result>(
      std::move(action), [reactor, context, security = backend.security, fill = std::move(fill)](Result result) {
        const Status status = StatusOf(result);
        if (status.ok()) fill(std::move(result));
        if (security != nullptr && absl::IsPermissionDenied(status)) {
          security->audit().WriteRefusal(CallerOf(*context, security).value_or(Peer{}), "/tilth.proto.Farm/", status);
        }
        reactor->Finish(ToGrpc(status));
      });
  return reactor;
}

Status CheckVersion(int theirs) {
  return theirs == kProtocolVersion ? absl::OkStatus() : ProtocolMismatch("tracker", theirs, kProtocolVersion);
}

// Whose sessions a caller may use; empty: everybody's.
std::string OwnerOf(const Peer& peer) { return peer.IsAdmin() ? "" : peer.name; }

AuditEvent SubmissionOf(const proto::SubmitRequest& request) {
  std::set<std::string> artifacts;
  for (const proto::Trial& trial : request.trials()) artifacts.insert(trial.artifact_hash());
  return {.action = "submit",
          .details = {{"session", request.session_id()}, {"trials", StrCat(request.trials_size())}},
          .artifacts = {artifacts.begin(), artifacts.end()}};
}

class FarmService : public proto::Farm::CallbackService {
 public:
  explicit FarmService(const Backend& backend) : backend_(backend) {}

  grpc::ServerUnaryReactor* OpenSession(grpc::CallbackServerContext* context, const proto::OpenSessionRequest* request,
                                        proto::OpenSessionReply* reply) override {
    if (const Status status = CheckVersion(request->protocol_version()); !status.ok()) return Answer(context, status);
    const StatusOr<Peer> peer = CallerOf(*context, backend_.security);
    if (!peer.ok()) return Answer(context, peer.status());
    proto::OpenSessionRequest session = *request;
    if (backend_.security != nullptr) session.set_user(peer->name);
    if (session.priority() > 0 && !peer->IsAdmin()) {
      return Answer(context, absl::PermissionDeniedError("a priority above 0 takes the role admin"));
    }
    const Status written = backend_.Audit(
        *peer, {.action = "session", .details = {{"session", session.session_id()}, {"title", session.name()}}});
    if (!written.ok()) return Answer(context, written);
    reply->set_tracker_version(std::string(kVersion));
    return Call<Status>(
        backend_, context,
        [session = std::move(session), owner = OwnerOf(*peer)](Tracker& tracker) {
          TILTH_RETURN_IF_ERROR(tracker.CheckOwner(session.session_id(), owner));
          return tracker.OpenSession(session);
        },
        [](const Status&) {});
  }

  grpc::ServerUnaryReactor* Submit(grpc::CallbackServerContext* context, const proto::SubmitRequest* request,
                                   proto::SubmitReply* reply) override {
    const StatusOr<Peer> peer = CallerOf(*context, backend_.security);
    if (!peer.ok()) return Answer(context, peer.status());
    // Here and not while everybody waits for the tracker.
    for (const proto::Blob& blob : request->blobs()) {
      if (const Status unpacked = UnpackBlob(blob).status(); !unpacked.ok()) return Answer(context, unpacked);
    }
    return Call<StatusOr<int>>(
        backend_, context,
        [this, request, peer = *peer](Tracker& tracker) -> StatusOr<int> {
          TILTH_RETURN_IF_ERROR(tracker.CheckOwner(request->session_id(), OwnerOf(peer)));
          if (backend_.security != nullptr) {
            // Only what will be done is said to have been done, and only what is bounded is written.
            TILTH_RETURN_IF_ERROR(tracker.CheckSubmission(*request));
            TILTH_RETURN_IF_ERROR(backend_.Audit(peer, SubmissionOf(*request)));
          }
          return tracker.Submit(*request);
        },
        [reply](const StatusOr<int>& accepted) { reply->set_accepted(*accepted); });
  }

  grpc::ServerUnaryReactor* WaitResults(grpc::CallbackServerContext* context, const proto::WaitResultsRequest* request,
                                        proto::WaitResultsReply* reply) override {
    const StatusOr<Peer> peer = CallerOf(*context, backend_.security);
    if (!peer.ok()) return Answer(context, peer.status());
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    const auto answer = [reactor, reply, context,
                         security = backend_.security](StatusOr<proto::WaitResultsReply> results) {
      // The wait may have been long: whoever has been revoked meanwhile gets nothing.
      const Status known = CallerOf(*context, security).status();
      if (known.ok() && results.ok()) *reply = *std::move(results);
      reactor->Finish(ToGrpc(known.ok() ? results.status() : known));
    };
    const auto wait = [request, answer, owner = OwnerOf(*peer)](Tracker& tracker) {
      const Status owned = tracker.CheckOwner(request->session_id(), owner);
      return owned.ok() ? tracker.WaitResults(*request, answer) : answer(owned);
    };
    backend_.loop.Post(wait, answer);
    return reactor;
  }

  grpc::ServerUnaryReactor* Cancel(grpc::CallbackServerContext* context, const proto::CancelRequest* request,
                                   proto::CancelReply* reply) override {
    const StatusOr<Peer> peer = CallerOf(*context, backend_.security);
    if (!peer.ok()) return Answer(context, peer.status());
    return Call<StatusOr<int>>(
        backend_, context,
        [request, owner = OwnerOf(*peer)](Tracker& tracker) -> StatusOr<int> {
          TILTH_RETURN_IF_ERROR(tracker.CheckOwner(request->session_id(), owner));
          return tracker.Cancel(*request);
        },
        [reply](const StatusOr<int>& cancelled) { reply->set_cancelled(*cancelled); });
  }

  grpc::ServerUnaryReactor* CloseSession(grpc::CallbackServerContext* context,
                                         const proto::CloseSessionRequest* request,
                                         proto::CloseSessionReply*) override {
    const StatusOr<Peer> peer = CallerOf(*context, backend_.security);
    if (!peer.ok()) return Answer(context, peer.status());
    return Call<Status>(
        backend_, context,
        [request, owner = OwnerOf(*peer)](Tracker& tracker) {
          TILTH_RETURN_IF_ERROR(tracker.CheckOwner(request->session_id(), owner));
          return tracker.CloseSession(request->session_id());
        },
        [](const Status&) {});
  }

 private:
  const Backend backend_;
};

class OperationsService : public proto::Operations::CallbackService {
 public:
  explicit OperationsService(const Backend& backend) : backend_(backend) {}

  grpc::ServerUnaryReactor* ListDevices(grpc::CallbackServerContext* context, const proto::ListDevicesRequest* request,
                                        proto::ListDevicesReply* reply) override {
    if (const Status status = CheckVersion(request->protocol_version()); !status.ok()) return Answer(context, status);
    return Call<StatusOr<proto::ListDevicesReply>>(
        backend_, context, [request](Tracker& tracker) { return tracker.ListDevices(request->device_class()); },
        [reply](StatusOr<proto::ListDevicesReply> devices) { *reply = *std::move(devices); });
  }

  grpc::ServerUnaryReactor* ListJobs(grpc::CallbackServerContext* context, const proto::ListJobsRequest* request,
                                     proto::ListJobsReply* reply) override {
    if (const Status status = CheckVersion(request->protocol_version()); !status.ok()) return Answer(context, status);
    return Call<StatusOr<proto::ListJobsReply>>(
        backend_, context, [](Tracker& tracker) { return tracker.ListJobs(); },
        [reply](StatusOr<proto::ListJobsReply> jobs) { *reply = *std::move(jobs); });
  }

  grpc::ServerUnaryReactor* SetDevice(grpc::CallbackServerContext* context, const proto::SetDeviceRequest* request,
                                      proto::SetDeviceReply* reply) override {
    if (const Status status = CheckVersion(request->protocol_version()); !status.ok()) return Answer(context, status);
    if (const Status audited = AuditChange(context, *request); !audited.ok()) return Answer(context, audited);
    return Call<StatusOr<int>>(
        backend_, context, [request](Tracker& tracker) { return tracker.SetDevice(*request); },
        [reply](const StatusOr<int>& devices) { reply->set_devices(*devices); });
  }

  grpc::ServerUnaryReactor* CreateToken(grpc::CallbackServerContext* context, const proto::CreateTokenRequest* request,
                                        proto::CreateTokenReply* reply) override {
    return AboutMembers(context, &FarmSecurity::CreateToken, *request, reply);
  }

  grpc::ServerUnaryReactor* Revoke(grpc::CallbackServerContext* context, const proto::RevokeRequest* request,
                                   proto::RevokeReply* reply) override {
    return AboutMembers(context, &FarmSecurity::Revoke, *request, reply);
  }

 private:
  Status AuditChange(grpc::CallbackServerContext* context, const proto::SetDeviceRequest& request) const {
    TILTH_ASSIGN_OR_RETURN(const Peer peer, CallerOf(*context, backend_.security));
    return backend_.Audit(peer,
                          {.action = absl::AsciiStrToLower(proto::SetDeviceRequest::Change_Name(request.change())),
                           .details = {{"device", request.device()}, {"user", request.user()}}});
  }

  // A call that the tracker has no part in.
  template <typename Request, typename Reply>
  grpc::ServerUnaryReactor* AboutMembers(grpc::CallbackServerContext* context,
                                         StatusOr<Reply> (FarmSecurity::*call)(const Peer&, const Request&),
                                         const Request& request, Reply* reply) const {
    if (backend_.security == nullptr) return Answer(context, NoAuthority());
    const StatusOr<Peer> peer = CallerOf(*context, backend_.security);
    if (!peer.ok()) return Answer(context, peer.status());
    StatusOr<Reply> answer = (backend_.security->*call)(*peer, request);
    if (answer.ok()) *reply = *std::move(answer);
    return Answer(context, answer.status());
  }

  const Backend backend_;
};

class AgentsService : public proto::Agents::CallbackService {
 public:
  explicit AgentsService(const Backend& backend) : backend_(backend) {}

  grpc::ServerBidiReactor<proto::AgentMessage, proto::TrackerMessage>* Attach(
      grpc::CallbackServerContext* context) override {
    return NewAgentStream(backend_.loop, backend_.security, CallerOf(*context, backend_.security));
  }

  grpc::ServerUnaryReactor* GetBlob(grpc::CallbackServerContext* context, const proto::GetBlobRequest* request,
                                    proto::GetBlobReply* reply) override {
    return Call<StatusOr<proto::Blob>>(
        backend_, context, [request](Tracker& tracker) { return tracker.GetBlob(request->hash()); },
        [reply](StatusOr<proto::Blob> blob) { *reply->mutable_blob() = *std::move(blob); });
  }

 private:
  const Backend backend_;
};

}  // namespace

class TrackerServer::Impl {
 public:
  Impl(std::unique_ptr<TrackerLoop> loop, const ServerOptions& options)
      : options_(options),
        loop_(std::move(loop)),
        farm_({*loop_, options.security}),
        operations_({*loop_, options.security}),
        agents_({*loop_, options.security}),
        enrolment_(options.security) {}

  Status Listen(const std::string& address) {
    if (options_.security == nullptr) {
      TILTH_RETURN_IF_ERROR(CheckClearTextAllowed(address, options_.clear_text_allowed));
    }
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address, MakeServerCredentials(options_.security), &port_);
    builder.RegisterService(&farm_);
    builder.RegisterService(&operations_);
    builder.RegisterService(&agents_);
    builder.RegisterService(&enrolment_);
    builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
    builder.SetMaxSendMessageSize(kMaxMessageBytes);
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    // Agents and clients ping idle connections to notice a tracker that has vanished without a word.
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5'000);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
    server_ = builder.BuildAndStart();
    if (server_ == nullptr || port_ == 0) {
      return absl::UnavailableError(StrCat(
          "cannot listen at ", address, "; is another tracker running there, or is the address not this machine's?"));
    }
    if (options_.security != nullptr) ticker_.emplace(*options_.security);
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
  const ServerOptions options_;
  std::unique_ptr<TrackerLoop> loop_;  // first: calls that are under way end before it does
  FarmService farm_;
  OperationsService operations_;
  AgentsService agents_;
  EnrolmentService enrolment_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  std::optional<SecurityTicker> ticker_;
};

StatusOr<std::unique_ptr<TrackerServer>> TrackerServer::Start(const std::string& address, const TrackerOptions& options,
                                                              Store& store, const ServerOptions& server) {
  TILTH_ASSIGN_OR_RETURN(std::unique_ptr<TrackerLoop> loop, TrackerLoop::Start(options, store, SystemClock()));
  auto impl = std::make_unique<Impl>(std::move(loop), server);
  TILTH_RETURN_IF_ERROR(impl->Listen(address));
  return std::unique_ptr<TrackerServer>(new TrackerServer(std::move(impl)));
}

TrackerServer::TrackerServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TrackerServer::~TrackerServer() = default;

int TrackerServer::port() const { return impl_->port(); }

}  // namespace tilth
