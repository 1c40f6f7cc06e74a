#include "proto/credentials.h"

#include <arpa/inet.h>
#include <grpcpp/security/credentials.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "base/files.h"
#include "proto/certificate.h"

namespace tilth {
namespace {

constexpr char kAuthorityFile[] = "/authority.pem", kIdentityFile[] = "/identity.pem";

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

Status Damaged(const std::string& path, const Status& why) {
  return absl::FailedPreconditionError(
      StrCat(path, " is damaged (", ToStd(why.message()), "); join the farm again with a new token"));
}

}  // namespace

StatusOr<Identity> LoadIdentity(const std::string& directory) {
  const std::string authority_path = StrCat(directory, kAuthorityFile);
  const std::string identity_path = StrCat(directory, kIdentityFile);
  if (!FileExists(identity_path)) return absl::NotFoundError(StrCat("there is no identity in ", directory));
  TILTH_RETURN_IF_ERROR(CheckSecretFile(identity_path));
  Identity identity;
  TILTH_ASSIGN_OR_RETURN(identity.certificate_pem, ReadFile(identity_path));
  identity.key_pem = identity.certificate_pem;
  if (const Status status = CheckKeyMatches(identity.key_pem, identity.certificate_pem); !status.ok()) {
    return Damaged(identity_path, status);
  }
  // The certificate goes to the peer, the key does not.
  const size_t key_begin = identity.key_pem.find("-----BEGIN PRIVATE KEY-----");
  if (key_begin == std::string::npos) return Damaged(identity_path, absl::InvalidArgumentError("it has no plain key"));
  identity.certificate_pem.resize(key_begin);
  identity.key_pem.erase(0, key_begin);
  if (const Status status = ReadCertificate(identity.certificate_pem).status(); !status.ok()) {
    return Damaged(identity_path, status);
  }
  const StatusOr<std::string> authority = ReadFile(authority_path);
  if (!authority.ok()) return Damaged(authority_path, authority.status());
  if (const Status status = ReadCertificate(*authority).status(); !status.ok()) return Damaged(authority_path, status);
  identity.authority_pem = *authority;
  return identity;
}

Status StoreIdentity(const std::string& directory, const Identity& identity) {
  TILTH_RETURN_IF_ERROR(MakeSecretDirectory(directory));
  TILTH_RETURN_IF_ERROR(WriteSecretFile(StrCat(directory, kAuthorityFile), identity.authority_pem));
  return WriteSecretFile(StrCat(directory, kIdentityFile), StrCat(identity.certificate_pem, identity.key_pem));
}

std::string IdentityDirectory(const std::string& address) {
  if (std::string directory = Environment("TILTH_IDENTITY"); !directory.empty()) return directory;
  std::string root = Environment("XDG_CONFIG_HOME");
  if (root.empty()) root = StrCat(Environment("HOME"), "/.config");
  return StrCat(root, "/tilth/farms/", absl::StrReplaceAll(address, {{":", "_"}, {"/", "_"}}));
}

StatusOr<Identity> FindIdentity(const std::string& address) {
  StatusOr<Identity> found = LoadIdentity(IdentityDirectory(address));
  if (found.ok() || !absl::IsNotFound(found.status())) return found;
  if (!Environment("TILTH_IDENTITY").empty()) {
    return absl::FailedPreconditionError(StrCat(ToStd(found.status().message()),
                                                ", which --identity or TILTH_IDENTITY names; store one there with "
                                                "`tilth farm join`"));
  }
  if (IsLoopback(address) || ClearTextAllowed()) return Identity{};
  return absl::FailedPreconditionError(
      StrCat("this user has not joined the farm at ", address,
             ": ask its administrator for a token (`tilth farm enroll --role submitter --name YOU`), then `tilth farm "
             "join ",
             address, " --token TOKEN`; for a tracker in the clear on a network that you trust, set TILTH_INSECURE=1"));
}

bool IsLoopback(const std::string& address) {
  if (absl::StartsWith(address, "unix:")) return true;
  const std::string host(absl::StripPrefix(absl::string_view(address).substr(0, address.rfind(':')), "ipv4:"));
  in_addr number{};  // a name may begin with 127., too
  return host == "localhost" || host == "[::1]" ||
         (absl::StartsWith(host, "127.") && inet_pton(AF_INET, host.c_str(), &number) == 1);
}

bool ClearTextAllowed() { return Environment("TILTH_INSECURE") == "1"; }

std::shared_ptr<grpc::ChannelCredentials> MakeChannelCredentials(const Identity& identity) {
  if (identity.Empty()) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = identity.authority_pem;
  options.pem_cert_chain = identity.certificate_pem;
  options.pem_private_key = identity.key_pem;
  return grpc::SslCredentials(options);
}

}  // namespace tilth
