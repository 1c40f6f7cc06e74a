// The authority's side of certificate.h: making one that signs, and signing with it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"

namespace tilth {

struct KeyAndCertificate {
  std::string key_pem, certificate_pem;
};

// A self-signed authority with a key of its own, valid from a little before `now_s`.
StatusOr<KeyAndCertificate> MakeAuthority(const std::string& name, int64_t now_s, int64_t lifetime_s);

// The parts of a certificate that the authority decides; certificate.h says where each stands.
struct CertificateContents {
  std::string name, role, device_class;
  int64_t now_s = 0, lifetime_s = 0;
  // For a server: the names and addresses by which it is reached. Empty: for a client.
  std::vector<std::string> server_names;
};

// kInvalidArgument if the request's signature is not of its own key: whoever asks must have the key.
StatusOr<std::string> SignCertificate(const KeyAndCertificate& authority, const std::string& signing_request_pem,
                                      const CertificateContents& contents);

}  // namespace tilth
