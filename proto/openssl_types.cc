#include "proto/openssl_types.h"

#include <openssl/err.h>
#include <openssl/pem.h>

namespace tilth::openssl {
namespace {

Bio Reader(std::string_view text) { return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

std::string Contents(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);  // NOLINT(google-runtime-int): OpenSSL's type
  return std::string(data, static_cast<size_t>(size));
}

// An encrypted key has a passphrase, which nobody is there to type.
int NoPassphrase(char*, int, int, void*) { return -1; }

template <typename Write>
StatusOr<std::string> WritePem(Write write) {
  const Bio bio(BIO_new(BIO_s_mem()));
  if (bio == nullptr || write(bio.get()) != 1) return Error("writing PEM");
  return Contents(bio.get());
}

}  // namespace

Status Error(std::string_view context) {
  char reason[256] = "no reason given";
  if (const unsigned long code = ERR_peek_last_error(); code != 0) {  // NOLINT(google-runtime-int): OpenSSL's type
    ERR_error_string_n(code, reason, sizeof reason);
  }
  ERR_clear_error();
  return absl::InternalError(StrCat(context, ": ", reason));
}

StatusOr<Key> ParseKey(std::string_view pem) {
  Key key(PEM_read_bio_PrivateKey(Reader(pem).get(), nullptr, NoPassphrase, nullptr));
  ERR_clear_error();
  if (key == nullptr) return absl::InvalidArgumentError("there is no private key in PEM form");
  return key;
}

StatusOr<Certificate> ParseCertificate(std::string_view pem) {
  Certificate certificate(PEM_read_bio_X509(Reader(pem).get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (certificate == nullptr) return absl::InvalidArgumentError("there is no certificate in PEM form");
  return certificate;
}

StatusOr<SigningRequest> ParseSigningRequest(std::string_view pem) {
  SigningRequest request(PEM_read_bio_X509_REQ(Reader(pem).get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (request == nullptr) return absl::InvalidArgumentError("there is no signing request in PEM form");
  return request;
}

StatusOr<std::string> ToPem(const X509* certificate) {
  return WritePem([&](BIO* bio) { return PEM_write_bio_X509(bio, certificate); });
}

StatusOr<std::string> ToPem(const X509_REQ* request) {
  return WritePem([&](BIO* bio) { return PEM_write_bio_X509_REQ(bio, request); });
}

StatusOr<std::string> ToPem(const EVP_PKEY* key) {
  return WritePem([&](BIO* bio) { return PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr); });
}

Status AddNameEntry(X509_NAME* name, int field, const std::string& text) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  const int size = static_cast<int>(text.size());
  if (X509_NAME_add_entry_by_NID(name, field, MBSTRING_UTF8, bytes, size, -1, 0) == 1) return absl::OkStatus();
  ERR_clear_error();
  return absl::InvalidArgumentError(StrCat("'", text, "' cannot stand in a certificate"));
}

}  // namespace tilth::openssl
