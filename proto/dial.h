// How clients and agents dial a tracker.
#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <string>

namespace tilth {

// A channel that notices a peer that has vanished without a word. Nothing is sent before the first call. After a failed
// call dial anew: a channel goes on failing for seconds after its peer is back, a fresh one connects at once.
std::shared_ptr<grpc::Channel> DialTracker(const std::string& address);

}  // namespace tilth
