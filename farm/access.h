// Who a caller is, from the certificate of its connection, and what its role may call.
//
//   agent      Agents, with its own agent id and in its own device class
//   submitter  Farm, its own sessions only; the lists of Operations
//   admin      Farm and Operations, everything
//   nobody     Enrolment.Join, with a token
//
// The TLS layer asks every client for a certificate, proves that it has the key, and lets the call come this far
// whatever the certificate is; here it is verified, before the first byte of a request is parsed. So a refusal can say
// what is wrong and what to do, which a failed handshake cannot. A call that no rule lets in is refused.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "farm/enrolment.h"

namespace tilth {

struct Peer {
  std::string name;  // of a person, or an agent's id; empty: nobody
  std::string role;
  std::string device_class;  // agents
  std::string serial;        // of the certificate
  int64_t not_after_s = 0;

  bool IsAdmin() const { return role == kRoleAdmin; }
};

// Everybody, where connections are in the clear: on loopback, or where an operator has said twice that it may be so.
Peer AnybodyInTheClear();

class Access {
 public:
  // All must outlive it.
  Access(const CertificateAuthority& authority, const Enrolment& enrolment, const Clock& clock)
      : authority_(authority), enrolment_(enrolment), clock_(clock) {}

  // kUnauthenticated, with the reason and the remedy: no certificate, another authority's, expired, revoked.
  StatusOr<Peer> Identify(const std::string& certificate_pem);

  // Whether a certificate that was good is so still.
  Status CheckStillGood(const Peer& peer) const;

 private:
  const CertificateAuthority& authority_;
  const Enrolment& enrolment_;
  const Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, Peer> verified_;  // certificates whose signature was checked; expiry and revocation were not
};

// Whether the role may call a method, "/tilth.proto.Farm/Submit": kPermissionDenied with what it would take.
Status CheckMayCall(const Peer& peer, const std::string& method);
// Whether an agent's hello is of the agent that the certificate is for: kPermissionDenied if not.
Status CheckIsAgent(const Peer& peer, const std::string& agent_id, const std::string& device_class);
// The one method that needs no certificate.
bool NeedsNoCertificate(const std::string& method);

}  // namespace tilth
