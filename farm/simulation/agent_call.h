// One connection of a simulated agent: a bidirectional call that may be written to from any thread.
#pragma once

#include <grpcpp/grpcpp.h>

#include <deque>
#include <functional>
#include <memory>
#include <mutex>

#include "proto/farm.grpc.pb.h"

namespace tilth {

// Owns itself from Start until the call is over.
class AgentCall : public grpc::ClientBidiReactor<proto::AgentMessage, proto::TrackerMessage>,
                  public std::enable_shared_from_this<AgentCall> {
 public:
  using OnMessage = std::function<void(const proto::TrackerMessage&)>;

  // `on_message` and `on_closed` are called one at a time, on gRPC's threads; the latter once, as the last. It gets the
  // call itself, to be destroyed on another thread: gRPC 1.51 waits for the thread that runs callbacks when the last
  // channel goes.
  using OnClosed = std::function<void(std::shared_ptr<AgentCall>)>;
  AgentCall(const std::string& tracker, OnMessage on_message, OnClosed on_closed);

  void Start(const proto::AgentHello& hello);
  // Dropped if the call is over.
  void Send(proto::AgentMessage message);
  // As if the network had failed.
  void Break() { context_.TryCancel(); }

 private:
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

  grpc::ClientContext context_;
  const std::unique_ptr<proto::Agents::Stub> stub_;
  const OnMessage on_message_;
  const OnClosed on_closed_;
  std::shared_ptr<AgentCall> self_;
  proto::TrackerMessage incoming_;
  std::mutex mutex_;
  bool over_ = false;
  std::deque<proto::AgentMessage> outgoing_;  // front: being written
};

}  // namespace tilth
