// How clients and agents dial a tracker.
#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <string>

namespace tilth {

// A channel that reconnects quickly (a tracker restarts within a second) and notices a peer that has vanished without a
// word. Nothing is sent before the first call.
std::shared_ptr<grpc::Channel> DialTracker(const std::string& address);

}  // namespace tilth
