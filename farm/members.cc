#include "farm/members.h"

#include "farm/operator_call.h"
#include "proto/measure.h"

namespace tilth {

StatusOr<RequestedToken> RequestToken(const std::string& address, const TokenTerms& terms, int64_t timeout_ms) {
  proto::CreateTokenRequest request;
  request.set_protocol_version(kProtocolVersion);
  request.set_role(terms.role);
  request.set_name(terms.name);
  request.set_device_class(terms.device_class);
  request.set_lifetime_s(terms.lifetime_s);
  proto::CreateTokenReply reply;
  TILTH_RETURN_IF_ERROR(CallOperations(address, timeout_ms, &proto::Operations::Stub::CreateToken, request, &reply));
  return RequestedToken{.token = {.text = reply.token(), .expires_unix_s = reply.expires_unix_s()},
                        .tracker_name = reply.tracker_name()};
}

StatusOr<int> RevokeMember(const std::string& address, const std::string& name_or_serial, int64_t timeout_ms) {
  proto::RevokeRequest request;
  request.set_protocol_version(kProtocolVersion);
  request.set_name(name_or_serial);
  proto::RevokeReply reply;
  TILTH_RETURN_IF_ERROR(CallOperations(address, timeout_ms, &proto::Operations::Stub::Revoke, request, &reply));
  return reply.certificates();
}

}  // namespace tilth
