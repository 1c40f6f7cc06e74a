// The tracker's end of one agent's stream.
#pragma once

#include <grpcpp/support/server_callback.h>

#include "farm/security.h"
#include "farm/tracker_loop.h"

namespace tilth {

// A reactor that owns itself until gRPC is done with it. The first message must be a hello of our protocol version, and
// of the agent that `peer`'s certificate is for. `security` is null in the clear.
grpc::ServerBidiReactor<proto::AgentMessage, proto::TrackerMessage>* NewAgentStream(TrackerLoop& loop,
                                                                                    FarmSecurity* security,
                                                                                    const StatusOr<Peer>& peer);

}  // namespace tilth
