// The security of one tracker: its authority, its list of members, who may call what, and the audit log, all in the
// state directory. A state that has not been initialised has none of it, and its tracker speaks in the clear.
//
// Thread-safe.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "farm/access.h"
#include "farm/audit_log.h"
#include "farm/certificate_authority.h"
#include "farm/enrolment.h"
#include "proto/credentials.h"
#include "proto/farm.pb.h"

namespace tilth {

class FarmSecurity {
 public:
  static bool IsInitialised(const std::string& state_directory);

  // Makes the authority and the identity of the first administrator. `names`: host names and addresses of the tracker,
  // the first is what people and agents are told to dial. kAlreadyExists if the state is initialised.
  static StatusOr<Identity> Initialize(const std::string& state_directory, const std::vector<std::string>& names,
                                       const std::string& administrator, const Clock& clock);

  // `clock` must outlive it.
  static StatusOr<std::unique_ptr<FarmSecurity>> Open(const std::string& state_directory, const Clock& clock,
                                                      const AuthorityOptions& options = {});

  // The calls of farm.proto that are about members; each is in the audit log.
  StatusOr<proto::JoinReply> Join(const proto::JoinRequest& request);
  StatusOr<proto::JoinReply> Renew(const Peer& peer, const proto::RenewRequest& request);
  StatusOr<proto::CreateTokenReply> CreateToken(const Peer& peer, const proto::CreateTokenRequest& request);
  StatusOr<proto::RevokeReply> Revoke(const Peer& peer, const proto::RevokeRequest& request);

  // A long stream of a peer: `close` is called, at most once and from any thread, when its certificate is revoked or
  // has expired.
  using CloseStream = std::function<void(const Status& why)>;
  int64_t AddStream(const Peer& peer, CloseStream close);
  void RemoveStream(int64_t stream);

  // Call it now and then: renews the server's certificate, closes streams whose certificates have expired.
  void Tick();

  // Before a request to join is read (kTokenMetadata).
  Status CheckToken(const std::string& token) { return enrolment_->CheckToken(token); }

  Access& access() { return *access_; }
  AuditLog& audit() { return *audit_; }
  const CertificateAuthority& authority() const { return *authority_; }
  // Where agents and people reach the tracker, if `init` was told: a host name without a port.
  std::string public_name() const;

 private:
  static StatusOr<std::unique_ptr<FarmSecurity>> OpenAll(const std::string& state_directory, const Clock& clock,
                                                         const AuthorityOptions& options);
  explicit FarmSecurity(const Clock& clock) : clock_(clock) {}
  void CloseBadStreams();

  const Clock& clock_;
  std::unique_ptr<CertificateAuthority> authority_;
  std::unique_ptr<Enrolment> enrolment_;
  std::unique_ptr<Access> access_;
  std::unique_ptr<AuditLog> audit_;

  struct Stream {
    Peer peer;
    CloseStream close;
  };
  std::mutex mutex_;
  int64_t next_stream_ = 1;
  std::map<int64_t, Stream> streams_;
  int64_t next_renewal_check_ns_ = 0;
};

}  // namespace tilth
