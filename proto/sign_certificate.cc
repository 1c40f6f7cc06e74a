#include "proto/sign_certificate.h"

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>

#include "proto/certificate.h"
#include "proto/openssl_types.h"

namespace tilth {
namespace {

// Clocks of boards differ a little from the tracker's.
constexpr int64_t kBackdateSeconds = 300;
constexpr int kSerialBytes = 16;

Status SetSerial(X509* certificate) {
  std::string bytes = RandomBytes(kSerialBytes);
  bytes[0] = static_cast<char>(bytes[0] & 0x7f);  // positive
  const std::unique_ptr<BIGNUM, openssl::Deleter<BN_free>> number(
      BN_bin2bn(reinterpret_cast<const unsigned char*>(bytes.data()), kSerialBytes, nullptr));
  if (number == nullptr || BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) == nullptr) {
    return openssl::Error("numbering a certificate");
  }
  return absl::OkStatus();
}

Status SetValidity(X509* certificate, int64_t now_s, int64_t lifetime_s) {
  const int64_t backdate_s = std::min(kBackdateSeconds, lifetime_s / 100);
  if (ASN1_TIME_set(X509_getm_notBefore(certificate), now_s - backdate_s) == nullptr ||
      ASN1_TIME_set(X509_getm_notAfter(certificate), now_s + lifetime_s) == nullptr) {
    return openssl::Error("dating a certificate");
  }
  return absl::OkStatus();
}

Status AddExtension(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, openssl::Deleter<X509_EXTENSION_free>> extension(
      X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
  if (extension == nullptr || X509_add_ext(certificate, extension.get(), -1) != 1) {
    ERR_clear_error();
    return absl::InvalidArgumentError(StrCat("'", value, "' cannot stand in a certificate"));
  }
  return absl::OkStatus();
}

// "DNS:lab,IP:10.0.0.1".
StatusOr<std::string> AlternativeNames(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) {
    const std::unique_ptr<ASN1_OCTET_STRING, openssl::Deleter<ASN1_OCTET_STRING_free>> address(
        a2i_IPADDRESS(name.c_str()));
    ERR_clear_error();
    // A comma would begin another kind of name.
    if (name.empty() || name.find_first_of(", \n") != std::string::npos) {
      return absl::InvalidArgumentError(StrCat("'", name, "' is neither a host name nor an address"));
    }
    StrAppend(&list, list.empty() ? "" : ",", address != nullptr ? "IP:" : "DNS:", name);
  }
  return list;
}

}  // namespace

StatusOr<KeyAndCertificate> MakeAuthority(const std::string& name, int64_t now_s, int64_t lifetime_s) {
  KeyAndCertificate made;
  TILTH_ASSIGN_OR_RETURN(made.key_pem, MakePrivateKey());
  TILTH_ASSIGN_OR_RETURN(const openssl::Key key, openssl::ParseKey(made.key_pem));
  const openssl::Certificate certificate(X509_new());
  X509* raw = certificate.get();
  if (raw == nullptr || X509_set_version(raw, X509_VERSION_3) != 1 || X509_set_pubkey(raw, key.get()) != 1) {
    return openssl::Error("making an authority");
  }
  TILTH_RETURN_IF_ERROR(SetSerial(raw));
  TILTH_RETURN_IF_ERROR(SetValidity(raw, now_s, lifetime_s));
  TILTH_RETURN_IF_ERROR(openssl::AddNameEntry(X509_get_subject_name(raw), NID_commonName, name));
  if (X509_set_issuer_name(raw, X509_get_subject_name(raw)) != 1) return openssl::Error("naming an authority");
  TILTH_RETURN_IF_ERROR(AddExtension(raw, raw, NID_basic_constraints, "critical,CA:TRUE,pathlen:0"));
  TILTH_RETURN_IF_ERROR(AddExtension(raw, raw, NID_key_usage, "critical,keyCertSign,cRLSign"));
  TILTH_RETURN_IF_ERROR(AddExtension(raw, raw, NID_subject_key_identifier, "hash"));
  if (X509_sign(raw, key.get(), EVP_sha256()) == 0) return openssl::Error("signing an authority");
  TILTH_ASSIGN_OR_RETURN(made.certificate_pem, openssl::ToPem(raw));
  return made;
}

StatusOr<std::string> SignCertificate(const KeyAndCertificate& authority, const std::string& signing_request_pem,
                                      const CertificateContents& contents) {
  TILTH_ASSIGN_OR_RETURN(const openssl::Key key, openssl::ParseKey(authority.key_pem));
  TILTH_ASSIGN_OR_RETURN(const openssl::Certificate issuer, openssl::ParseCertificate(authority.certificate_pem));
  TILTH_ASSIGN_OR_RETURN(const openssl::SigningRequest request, openssl::ParseSigningRequest(signing_request_pem));
  EVP_PKEY* subject_key = X509_REQ_get0_pubkey(request.get());
  if (subject_key == nullptr || X509_REQ_verify(request.get(), subject_key) != 1) {
    ERR_clear_error();
    return absl::InvalidArgumentError("the signing request is not signed with its own key");
  }
  if (EVP_PKEY_get_base_id(subject_key) != EVP_PKEY_EC || EVP_PKEY_get_bits(subject_key) != 256) {
    return absl::InvalidArgumentError("the signing request's key is not an ECDSA key of 256 bits");
  }
  const openssl::Certificate certificate(X509_new());
  X509* raw = certificate.get();
  if (raw == nullptr || X509_set_version(raw, X509_VERSION_3) != 1 || X509_set_pubkey(raw, subject_key) != 1 ||
      X509_set_issuer_name(raw, X509_get_subject_name(issuer.get())) != 1) {
    return openssl::Error("making a certificate");
  }
  TILTH_RETURN_IF_ERROR(SetSerial(raw));
  TILTH_RETURN_IF_ERROR(SetValidity(raw, contents.now_s, contents.lifetime_s));
  X509_NAME* subject = X509_get_subject_name(raw);
  TILTH_RETURN_IF_ERROR(openssl::AddNameEntry(subject, NID_commonName, contents.name));
  if (!contents.role.empty()) {
    TILTH_RETURN_IF_ERROR(openssl::AddNameEntry(subject, NID_organizationalUnitName, contents.role));
  }
  if (!contents.device_class.empty()) {
    TILTH_RETURN_IF_ERROR(openssl::AddNameEntry(subject, NID_organizationName, contents.device_class));
  }
  const bool server = !contents.server_names.empty();
  TILTH_RETURN_IF_ERROR(AddExtension(raw, issuer.get(), NID_basic_constraints, "critical,CA:FALSE"));
  TILTH_RETURN_IF_ERROR(AddExtension(raw, issuer.get(), NID_key_usage, "critical,digitalSignature"));
  TILTH_RETURN_IF_ERROR(AddExtension(raw, issuer.get(), NID_ext_key_usage, server ? "serverAuth" : "clientAuth"));
  TILTH_RETURN_IF_ERROR(AddExtension(raw, issuer.get(), NID_subject_key_identifier, "hash"));
  TILTH_RETURN_IF_ERROR(AddExtension(raw, issuer.get(), NID_authority_key_identifier, "keyid"));
  if (server) {
    TILTH_ASSIGN_OR_RETURN(const std::string names, AlternativeNames(contents.server_names));
    TILTH_RETURN_IF_ERROR(AddExtension(raw, issuer.get(), NID_subject_alt_name, names));
  }
  if (X509_sign(raw, key.get(), EVP_sha256()) == 0) return openssl::Error("signing a certificate");
  return openssl::ToPem(raw);
}

}  // namespace tilth
