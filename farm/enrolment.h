// Who may join a farm and who has joined it: single-use tokens, the certificates that were given for them, and those
// that were revoked. An SQLite file of its own; every change is on the disk before the call returns.
//
// Of a token's secret only the hash is kept. Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "farm/certificate_authority.h"

namespace tilth {

inline constexpr char kRoleAgent[] = "agent", kRoleSubmitter[] = "submitter", kRoleAdmin[] = "admin";
inline constexpr int64_t kLongestTokenLifetimeSeconds = 7 * kDaySeconds;

struct TokenTerms {
  std::string role;
  std::string name;          // people: of the certificate
  std::string device_class;  // agents: the only one that it may join
  int64_t lifetime_s = 3600;
};

struct NewToken {
  std::string text;
  int64_t expires_unix_s = 0;
};

struct Certified {
  std::string certificate_pem, serial, name, role, device_class;
};

class Enrolment {
 public:
  // `authority` and `clock` must outlive it.
  static StatusOr<std::unique_ptr<Enrolment>> Open(const std::string& path, const CertificateAuthority& authority,
                                                   const Clock& clock);
  ~Enrolment();

  // kInvalidArgument: no such role, or a name, a class or a lifetime that cannot be.
  StatusOr<NewToken> CreateToken(const TokenTerms& terms);

  // Whether Join would take it: kPermissionDenied with the reason if not.
  Status CheckToken(const std::string& token);

  // Uses a token up and certifies the key in the request. `agent_id` counts for agents only. kPermissionDenied: the
  // token is unknown, used or expired, or another agent has this id.
  StatusOr<Certified> Join(const std::string& token, const std::string& agent_id,
                           const std::string& signing_request_pem);

  // A certificate without a token, for the first admin.
  StatusOr<Certified> Certify(const std::string& signing_request_pem, const std::string& name, const std::string& role,
                              const std::string& device_class);

  // The same member's next certificate. kUnauthenticated if the present one has been revoked.
  StatusOr<Certified> Renew(const std::string& serial, const std::string& signing_request_pem);

  // Revokes a name's certificates, or the one with this serial number. Of an agent's id, as lists show it, at least the
  // first 8 characters will do if no other agent's begins so. Returns the serials of those that were valid.
  // kFailedPrecondition, and nothing is revoked, if the farm would be left without an administrator.
  StatusOr<std::vector<std::string>> Revoke(const std::string& name_or_serial);
  bool IsRevoked(const std::string& serial) const;

 private:
  class Tables;
  Enrolment(const CertificateAuthority& authority, const Clock& clock);

  int64_t NowSeconds() const { return clock_.WallMs() / 1000; }
  StatusOr<Certified> CertifyLocked(const std::string& signing_request_pem, const std::string& name,
                                    const std::string& role, const std::string& device_class);
  // The names of those who have a valid certificate.
  StatusOr<std::vector<std::string>> AdministratorsLocked();

  const CertificateAuthority& authority_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::unique_ptr<Tables> tables_;
  std::set<std::string> revoked_;  // serials
};

}  // namespace tilth
