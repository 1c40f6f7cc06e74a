#include "farm/enrolment_service.h"

#include <chrono>

#include "proto/grpc_status.h"

namespace tilth {
namespace {

constexpr std::chrono::milliseconds kTick{500};

grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context, StatusOr<proto::JoinReply> answer,
                                 proto::JoinReply* reply) {
  if (answer.ok()) *reply = *std::move(answer);
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(ToGrpc(answer.status()));
  return reactor;
}

}  // namespace

Status NoAuthority() {
  return absl::FailedPreconditionError(
      "this tracker has no authority and takes everybody for whom they say they are: initialise its state with `tilth "
      "farm init`");
}

grpc::ServerUnaryReactor* EnrolmentService::Join(grpc::CallbackServerContext* context,
                                                 const proto::JoinRequest* request, proto::JoinReply* reply) {
  if (security_ == nullptr) return Answer(context, NoAuthority(), reply);
  return Answer(context, security_->Join(*request), reply);
}

grpc::ServerUnaryReactor* EnrolmentService::Renew(grpc::CallbackServerContext* context,
                                                  const proto::RenewRequest* request, proto::JoinReply* reply) {
  if (security_ == nullptr) return Answer(context, NoAuthority(), reply);
  const StatusOr<Peer> peer = CallerOf(*context, security_);
  if (!peer.ok()) return Answer(context, peer.status(), reply);
  return Answer(context, security_->Renew(*peer, *request), reply);
}

SecurityTicker::SecurityTicker(FarmSecurity& security)
    : thread_([this, &security] {
        std::unique_lock lock(mutex_);
        while (!wake_.wait_for(lock, kTick, [this] { return stop_; })) {
          lock.unlock();
          security.Tick();
          lock.lock();
        }
      }) {}

SecurityTicker::~SecurityTicker() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

}  // namespace tilth
