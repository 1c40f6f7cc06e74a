// The tracker on the network: the services of farm.proto over one TrackerLoop.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "farm/store.h"
#include "farm/tracker.h"

namespace tilth {

class FarmSecurity;

struct ServerOptions {
  FarmSecurity* security = nullptr;  // mutual TLS; null: in the clear. It must outlive the server
  bool clear_text_allowed = false;   // in the clear off loopback, too
};

class TrackerServer {
 public:
  // Listens at "HOST:PORT" (port 0: any free one). kUnavailable if the address cannot be bound; kFailedPrecondition if
  // it would be in the clear where that is not allowed. `store` must outlive the server.
  static StatusOr<std::unique_ptr<TrackerServer>> Start(const std::string& address, const TrackerOptions& options,
                                                        Store& store, const ServerOptions& server = {});
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
