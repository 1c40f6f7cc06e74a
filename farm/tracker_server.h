// The tracker on the network: the services of farm.proto over one TrackerLoop.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "farm/store.h"
#include "farm/tracker.h"

namespace tilth {

class TrackerServer {
 public:
  // Listens at "HOST:PORT" (port 0: any free one) without encryption, so HOST should be 127.0.0.1 or a trusted network.
  // kUnavailable if the address cannot be bound. `store` must outlive the server.
  static StatusOr<std::unique_ptr<TrackerServer>> Start(const std::string& address, const TrackerOptions& options,
                                                        Store& store);
  ~TrackerServer();  // ends every conversation
  TrackerServer(const TrackerServer&) = delete;
  TrackerServer& operator=(const TrackerServer&) = delete;

  int port() const;

 private:
  class Impl;
  explicit TrackerServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tilth
