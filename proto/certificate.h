// Keys and certificates of a farm: ECDSA over P-256, X.509, PEM. What is in a certificate of a farm:
//
//   subject CN   the name: of a person, or an agent's id
//   subject OU   the role: "agent", "submitter", "admin"; "tracker" in the server's own
//   subject O    agents: the device class that it may join
//
// Signing is sign_certificate.h's. Thread-safe: no state.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace tilth {

struct CertificateInfo {
  std::string serial;  // lower-case hexadecimal
  std::string name, role, device_class;
  int64_t not_before_s = 0, not_after_s = 0;  // seconds since 1970 UTC

  // Two thirds of its life are over: time for a new one.
  bool DueForRenewal(int64_t now_s) const { return 3 * (now_s - not_before_s) >= 2 * (not_after_s - not_before_s); }
};

enum class CertificatePurpose { kClient, kServer };

// A fresh private key as PEM.
StatusOr<std::string> MakePrivateKey();

// What an authority needs to make a certificate of this key. The name may not count: the authority decides.
StatusOr<std::string> MakeSigningRequest(const std::string& key_pem, const std::string& name);

StatusOr<CertificateInfo> ReadCertificate(std::string_view pem);

// Whether the key is the one that the certificate is about.
Status CheckKeyMatches(std::string_view key_pem, std::string_view certificate_pem);

// kUnauthenticated with the reason if the authority has not signed the certificate, if it is not valid at `now_s`, or
// if it is not for this purpose.
Status VerifyCertificate(std::string_view certificate_pem, std::string_view authority_pem, int64_t now_s,
                         CertificatePurpose purpose);

// SHA-256 of the certificate in DER: 32 bytes.
StatusOr<std::string> CertificateDigest(std::string_view pem);

// SHA-256, 32 bytes; of `size` bytes from the system's randomness; equality in a time that tells nothing.
std::string Sha256(std::string_view bytes);
std::string RandomBytes(int size);
bool SecretsEqual(std::string_view a, std::string_view b);

// "2026-11-21 22:05 UTC".
std::string FormatUtc(int64_t unix_s);

}  // namespace tilth
