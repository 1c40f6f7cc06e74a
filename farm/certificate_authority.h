// A farm's own certificate authority, in a directory of the tracker's state:
//
//   authority.pem   its certificate, which every member of the farm has, valid for ten years
//   authority.key   its key, which nobody else may read
//   server.pem      the tracker's certificate, the authority's and the tracker's key: what the server shows
//   names           host names and addresses in that certificate, one a line; the first is what people are told to dial
//
// Thread-safe after Open.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "proto/sign_certificate.h"

namespace tilth {

inline constexpr int64_t kDaySeconds = 24 * 3600;

struct AuthorityOptions {
  int64_t member_lifetime_s = 90 * kDaySeconds;  // of agents' and people's certificates
  int64_t server_lifetime_s = 90 * kDaySeconds;
};

class CertificateAuthority {
 public:
  // Makes `directory` with all its files, or nothing. kAlreadyExists if it is there.
  static Status Initialize(const std::string& directory, const std::vector<std::string>& names, const Clock& clock);

  // kNotFound if there is no authority, kFailedPrecondition if its key can be read by others or a file is damaged.
  // `clock` must outlive the authority.
  static StatusOr<std::unique_ptr<CertificateAuthority>> Open(const std::string& directory, const Clock& clock,
                                                              const AuthorityOptions& options = {});

  // A client's certificate of the key in the request.
  StatusOr<std::string> Issue(const std::string& signing_request_pem, const std::string& name, const std::string& role,
                              const std::string& device_class) const;

  // Replaces the server's certificate and key when two thirds of its life are over; the running server takes them up.
  Status RenewServerCertificate() const;

  const std::string& certificate_pem() const { return authority_.certificate_pem; }
  const std::string& digest() const { return digest_; }  // SHA-256 of the certificate: what tokens pin
  std::string server_file() const { return StrCat(directory_, "/server.pem"); }
  const std::vector<std::string>& names() const { return names_; }

 private:
  CertificateAuthority(std::string directory, const Clock& clock, const AuthorityOptions& options)
      : directory_(std::move(directory)), clock_(clock), options_(options) {}

  int64_t NowSeconds() const { return clock_.WallMs() / 1000; }

  const std::string directory_;
  const Clock& clock_;
  const AuthorityOptions options_;
  KeyAndCertificate authority_;
  std::string digest_;
  std::vector<std::string> names_;
};

}  // namespace tilth
