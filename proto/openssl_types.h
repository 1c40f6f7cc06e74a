// Owners of OpenSSL's objects and PEM in both directions, for the files of this folder that handle certificates.
#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"

namespace tilth::openssl {

template <auto Free>
struct Deleter {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};

using Bio = std::unique_ptr<BIO, Deleter<BIO_free_all>>;
using Key = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Deleter<X509_free>>;
using SigningRequest = std::unique_ptr<X509_REQ, Deleter<X509_REQ_free>>;

// "context: what OpenSSL says", and empties OpenSSL's queue of errors.
Status Error(std::string_view context);

// kInvalidArgument if the text has no such thing. Other blocks before it are skipped.
StatusOr<Key> ParseKey(std::string_view pem);
StatusOr<Certificate> ParseCertificate(std::string_view pem);
StatusOr<SigningRequest> ParseSigningRequest(std::string_view pem);

StatusOr<std::string> ToPem(const X509* certificate);
StatusOr<std::string> ToPem(const X509_REQ* request);
StatusOr<std::string> ToPem(const EVP_PKEY* key);

// Appends one field to a name; the text is UTF-8.
Status AddNameEntry(X509_NAME* name, int field, const std::string& text);

}  // namespace tilth::openssl
