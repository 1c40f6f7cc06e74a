// The agent's end of its stream to the tracker: dials, says hello, reads, beats. Knows nothing of trials.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "proto/credentials.h"
#include "proto/farm.pb.h"

namespace tilth {

class TrackerStream {
 public:
  // `identity_directory`: where the identity is that `tilth-agent join` stored (LoadFreshIdentity). One that is not
  // there is none: the connection is in the clear, which is refused off loopback.
  TrackerStream(const std::string& address, const std::string& identity_directory);
  ~TrackerStream();

  // One connection from hello to its end: `on_message` gets what the tracker says, on this thread; `holding` is asked
  // at every heartbeat. The status says why it ended; kCancelled after Stop. OK: it is time to renew the certificate,
  // which dialling anew does.
  Status Converse(const proto::AgentHello& hello, const std::function<void(const proto::TrackerMessage&)>& on_message,
                  const std::function<std::vector<proto::Lease>()>& holding);

  // Sends if connected; what is not sent is not remembered. From any thread.
  void Send(const proto::AgentMessage& message);

  // kNotFound if no unfinished trial needs it. From any thread.
  StatusOr<proto::Blob> FetchBlob(const std::string& hash);

  // Ends the conversation, now and for ever. From any thread.
  void Stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tilth
