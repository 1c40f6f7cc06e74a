// How clients and agents dial a tracker.
#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <string>

#include "base/status.h"
#include "proto/credentials.h"

namespace tilth {

// gRPC's and protobuf's own log lines become debug lines of ours, from now on. Dialling does it.
void RouteGrpcLog();

// A channel that notices a peer that has vanished without a word. Nothing is sent before the first call. After a failed
// call dial anew: a channel goes on failing for seconds after its peer is back, a fresh one connects at once.
std::shared_ptr<grpc::Channel> DialTracker(const std::string& address, const Identity& identity = {});
// The same with credentials of the caller's own.
std::shared_ptr<grpc::Channel> DialWith(const std::string& address,
                                        const std::shared_ptr<grpc::ChannelCredentials>& credentials);

// What is spoken at an address, found by beginning to speak TLS there.
enum class Protocol { kUnreachable, kClear, kTls };
Protocol ProbeProtocol(const std::string& address, int64_t timeout_ms = 1'000);

// Whether a connection fails because one side speaks TLS and the other does not, or because the tracker is of another
// farm: kFailedPrecondition with what to do. OK if that is not the reason of `failure` (an unavailable peer).
inline constexpr char kVerifyFailed[] = "certificate verify failed";  // what TLS says of a certificate in `failure`
Status ExplainRefusedConnection(const std::string& address, const Identity& identity, const Status& failure);

// kUnavailable for people, when waiting has not helped against `failure`: that no tracker answers, or what the one that
// does says of itself.
Status GiveUpOnTracker(const std::string& address, const Status& failure);

}  // namespace tilth
