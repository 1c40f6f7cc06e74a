// The way to one attached agent.
#pragma once

#include "base/status.h"
#include "proto/farm.pb.h"

namespace tilth {

// Send never blocks; after Close nothing is sent.
class AgentPort {
 public:
  virtual ~AgentPort() = default;
  virtual void Send(proto::TrackerMessage message) = 0;
  virtual void Close(const Status& why) = 0;
};

}  // namespace tilth
