// Joining a farm and staying in it, on the network (farm.proto, service Enrolment), and the housekeeping of security.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "farm/call_gate.h"
#include "farm/security.h"
#include "proto/farm.grpc.pb.h"

namespace tilth {

// Without `security` every call is refused. It must outlive the service.
class EnrolmentService : public proto::Enrolment::CallbackService {
 public:
  explicit EnrolmentService(FarmSecurity* security) : security_(security) {}

  grpc::ServerUnaryReactor* Join(grpc::CallbackServerContext* context, const proto::JoinRequest* request,
                                 proto::JoinReply* reply) override;
  grpc::ServerUnaryReactor* Renew(grpc::CallbackServerContext* context, const proto::RenewRequest* request,
                                  proto::JoinReply* reply) override;

 private:
  FarmSecurity* const security_;
};

// What a tracker in the clear says to calls that are about certificates.
Status NoAuthority();

// Calls FarmSecurity::Tick twice a second until it is destroyed.
class SecurityTicker {
 public:
  explicit SecurityTicker(FarmSecurity& security);
  ~SecurityTicker();
  SecurityTicker(const SecurityTicker&) = delete;
  SecurityTicker& operator=(const SecurityTicker&) = delete;

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace tilth
