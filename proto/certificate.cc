#include "proto/certificate.h"

#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

#include <ctime>

#include "absl/strings/ascii.h"
#include "proto/openssl_types.h"

namespace tilth {
namespace {

using openssl::Deleter;

StatusOr<int64_t> UnixSeconds(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return openssl::Error("reading a certificate's time");
  return static_cast<int64_t>(timegm(&parts));
}

// Empty if the subject has no such field.
std::string SubjectField(const X509* certificate, int field) {
  const X509_NAME* subject = X509_get_subject_name(certificate);
  const int at = X509_NAME_get_index_by_NID(const_cast<X509_NAME*>(subject), field, -1);
  if (at < 0) return "";
  unsigned char* text = nullptr;
  const int size = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
  if (size < 0) return "";
  std::string field_text(reinterpret_cast<char*>(text), static_cast<size_t>(size));
  OPENSSL_free(text);
  return field_text;
}

StatusOr<std::string> SerialHex(const X509* certificate) {
  const std::unique_ptr<BIGNUM, Deleter<BN_free>> number(
      ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr));
  if (number == nullptr) return openssl::Error("reading a certificate's serial number");
  char* hex = BN_bn2hex(number.get());
  if (hex == nullptr) return openssl::Error("reading a certificate's serial number");
  std::string serial = absl::AsciiStrToLower(hex);
  OPENSSL_free(hex);
  return serial;
}

}  // namespace

StatusOr<std::string> MakePrivateKey() {
  const openssl::Key key(EVP_EC_gen("P-256"));
  if (key == nullptr) return openssl::Error("making a key");
  return openssl::ToPem(key.get());
}

StatusOr<std::string> MakeSigningRequest(const std::string& key_pem, const std::string& name) {
  TILTH_ASSIGN_OR_RETURN(const openssl::Key key, openssl::ParseKey(key_pem));
  const openssl::SigningRequest request(X509_REQ_new());
  if (request == nullptr || X509_REQ_set_pubkey(request.get(), key.get()) != 1) {
    return openssl::Error("making a signing request");
  }
  TILTH_RETURN_IF_ERROR(openssl::AddNameEntry(X509_REQ_get_subject_name(request.get()), NID_commonName, name));
  if (X509_REQ_sign(request.get(), key.get(), EVP_sha256()) == 0) return openssl::Error("signing a request");
  return openssl::ToPem(request.get());
}

StatusOr<CertificateInfo> ReadCertificate(std::string_view pem) {
  TILTH_ASSIGN_OR_RETURN(const openssl::Certificate certificate, openssl::ParseCertificate(pem));
  CertificateInfo info;
  TILTH_ASSIGN_OR_RETURN(info.serial, SerialHex(certificate.get()));
  TILTH_ASSIGN_OR_RETURN(info.not_before_s, UnixSeconds(X509_get0_notBefore(certificate.get())));
  TILTH_ASSIGN_OR_RETURN(info.not_after_s, UnixSeconds(X509_get0_notAfter(certificate.get())));
  info.name = SubjectField(certificate.get(), NID_commonName);
  info.role = SubjectField(certificate.get(), NID_organizationalUnitName);
  info.device_class = SubjectField(certificate.get(), NID_organizationName);
  return info;
}

Status CheckKeyMatches(std::string_view key_pem, std::string_view certificate_pem) {
  TILTH_ASSIGN_OR_RETURN(const openssl::Key key, openssl::ParseKey(key_pem));
  TILTH_ASSIGN_OR_RETURN(const openssl::Certificate certificate, openssl::ParseCertificate(certificate_pem));
  const bool matches = X509_check_private_key(certificate.get(), key.get()) == 1;
  ERR_clear_error();
  return matches ? absl::OkStatus() : absl::InvalidArgumentError("the key and the certificate do not belong together");
}

Status VerifyCertificate(std::string_view certificate_pem, std::string_view authority_pem, int64_t now_s,
                         CertificatePurpose purpose) {
  TILTH_ASSIGN_OR_RETURN(const openssl::Certificate certificate, openssl::ParseCertificate(certificate_pem));
  TILTH_ASSIGN_OR_RETURN(const openssl::Certificate authority, openssl::ParseCertificate(authority_pem));
  const std::unique_ptr<X509_STORE, Deleter<X509_STORE_free>> store(X509_STORE_new());
  const std::unique_ptr<X509_STORE_CTX, Deleter<X509_STORE_CTX_free>> context(X509_STORE_CTX_new());
  if (store == nullptr || context == nullptr || X509_STORE_add_cert(store.get(), authority.get()) != 1 ||
      X509_STORE_CTX_init(context.get(), store.get(), certificate.get(), nullptr) != 1) {
    return openssl::Error("verifying a certificate");
  }
  X509_VERIFY_PARAM* parameters = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_time(parameters, now_s);
  X509_VERIFY_PARAM_set_purpose(
      parameters, purpose == CertificatePurpose::kClient ? X509_PURPOSE_SSL_CLIENT : X509_PURPOSE_SSL_SERVER);
  const bool verified = X509_verify_cert(context.get()) == 1;
  ERR_clear_error();
  if (verified) return absl::OkStatus();
  const int reason = X509_STORE_CTX_get_error(context.get());
  if (reason == X509_V_ERR_CERT_HAS_EXPIRED) {
    TILTH_ASSIGN_OR_RETURN(const int64_t end_s, UnixSeconds(X509_get0_notAfter(certificate.get())));
    return absl::UnauthenticatedError(StrCat("the certificate expired on ", FormatUtc(end_s)));
  }
  if (reason == X509_V_ERR_CERT_NOT_YET_VALID) {
    return absl::UnauthenticatedError("the certificate is not valid yet; is this machine's clock right?");
  }
  if (reason == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY || reason == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT ||
      reason == X509_V_ERR_CERT_SIGNATURE_FAILURE || reason == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE) {
    return absl::UnauthenticatedError("the certificate is not from this farm's authority");
  }
  return absl::UnauthenticatedError(StrCat("the certificate is not valid: ", X509_verify_cert_error_string(reason)));
}

StatusOr<std::string> CertificateDigest(std::string_view pem) {
  TILTH_ASSIGN_OR_RETURN(const openssl::Certificate certificate, openssl::ParseCertificate(pem));
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  unsigned int size = 0;
  if (X509_digest(certificate.get(), EVP_sha256(), reinterpret_cast<unsigned char*>(digest.data()), &size) != 1) {
    return openssl::Error("hashing a certificate");
  }
  return digest;
}

std::string Sha256(std::string_view bytes) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
  return digest;
}

std::string RandomBytes(int size) {
  std::string bytes(static_cast<size_t>(size), '\0');
  // A machine without randomness must not go on to make secrets.
  TILTH_CHECK(RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), size) == 1);
  return bytes;
}

bool SecretsEqual(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string FormatUtc(int64_t unix_s) {
  const std::time_t time = unix_s;
  std::tm parts{};
  gmtime_r(&time, &parts);
  return absl::StrFormat("%04d-%02d-%02d %02d:%02d UTC", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                         parts.tm_hour, parts.tm_min);
}

}  // namespace tilth
