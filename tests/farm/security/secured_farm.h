// A secured tracker on loopback with real certificates, for tests: its members and its clock.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "base/files.h"
#include "farm/memory_store.h"
#include "farm/security.h"
#include "farm/tracker_server.h"
#include "proto/join.h"
#include "proto/measure.h"

namespace tilth {

// The machine's clock, put forward.
class AdvancedClock : public Clock {
 public:
  int64_t NowNs() const override { return SystemClock().NowNs() + 1'000'000 * ahead_ms_; }
  int64_t WallMs() const override { return SystemClock().WallMs() + ahead_ms_; }
  void Advance(int64_t seconds) { ahead_ms_ += 1000 * seconds; }

 private:
  std::atomic<int64_t> ahead_ms_ = 0;
};

class SecuredFarm {
 public:
  SecuredFarm() {
    admin = FarmSecurity::Initialize(dir.File("state"), {"lab"}, "root", clock).value();
    Start();
  }

  void Start() {
    Stop();
    security = FarmSecurity::Open(dir.File("state"), clock).value();
    server = TrackerServer::Start("127.0.0.1:0", {}, store, {.security = security.get()}).value();
  }
  void Stop() {
    server.reset();
    security.reset();
  }

  std::string address() const { return StrCat("127.0.0.1:", server->port()); }
  std::string Token(const TokenTerms& terms) const {
    proto::CreateTokenRequest request;
    request.set_protocol_version(kProtocolVersion);
    request.set_role(terms.role);
    request.set_name(terms.name);
    request.set_device_class(terms.device_class);
    request.set_lifetime_s(terms.lifetime_s);
    return security->CreateToken({.name = "root", .role = kRoleAdmin}, request).value().token();
  }
  // Joins over the network.
  Identity Submitter(const std::string& name) const {
    return JoinFarm(address(), Token({.role = kRoleSubmitter, .name = name}), "").value().identity;
  }
  Identity Agent(const std::string& agent_id) const {
    return JoinFarm(address(), Token({.role = kRoleAgent, .device_class = "rpi4"}), agent_id).value().identity;
  }
  std::string AuditLog() const { return ReadFile(dir.File("state/audit.log")).value(); }

  const TempDir dir = *TempDir::Create();
  AdvancedClock clock;
  Identity admin;
  MemoryStore store;
  std::unique_ptr<FarmSecurity> security;
  std::unique_ptr<TrackerServer> server;
};

}  // namespace tilth
