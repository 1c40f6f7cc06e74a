// The gate between TLS and the services: gRPC asks it about every call before a byte of the request is parsed.
#pragma once

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_context.h>

#include <memory>
#include <string>

#include "base/status.h"
#include "farm/security.h"

namespace tilth {

// TLS with the tracker's certificate, which is taken up anew when it has been renewed, and with the gate before all
// services. Without `security`: in the clear. `security` must outlive the server.
std::shared_ptr<grpc::ServerCredentials> MakeServerCredentials(FarmSecurity* security);

// Who calls. The gate has let the call in, so an error means that the certificate has been revoked since, or that
// a method needs none. Without `security`: AnybodyInTheClear().
StatusOr<Peer> CallerOf(const grpc::ServerContextBase& context, FarmSecurity* security);

// OK if the address is this machine's own; otherwise kFailedPrecondition, unless `clear_text_allowed`.
Status CheckClearTextAllowed(const std::string& address, bool clear_text_allowed);

}  // namespace tilth
