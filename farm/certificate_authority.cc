#include "farm/certificate_authority.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/files.h"
#include "base/logging.h"
#include "base/posix.h"
#include "proto/certificate.h"
#include "proto/credentials.h"

namespace tilth {
namespace {

constexpr int64_t kAuthorityLifetimeSeconds = 3653 * kDaySeconds;

std::string CertificateFile(const std::string& directory) { return StrCat(directory, "/authority.pem"); }
std::string KeyFile(const std::string& directory) { return StrCat(directory, "/authority.key"); }
std::string NamesFile(const std::string& directory) { return StrCat(directory, "/names"); }

StatusOr<std::string> MakeServerFile(const KeyAndCertificate& authority, const std::vector<std::string>& names,
                                     int64_t now_s, int64_t lifetime_s) {
  TILTH_ASSIGN_OR_RETURN(const std::string key_pem, MakePrivateKey());
  TILTH_ASSIGN_OR_RETURN(const std::string request, MakeSigningRequest(key_pem, kTrackerTlsName));
  CertificateContents contents{.name = kTrackerTlsName, .role = "tracker", .now_s = now_s, .lifetime_s = lifetime_s};
  contents.server_names = names;
  contents.server_names.emplace_back(kTrackerTlsName);
  TILTH_ASSIGN_OR_RETURN(const std::string certificate_pem, SignCertificate(authority, request, contents));
  // The authority's own goes along: who has nothing but its digest, in a token, learns it here.
  return StrCat(certificate_pem, authority.certificate_pem, key_pem);
}

Status WriteAuthority(const std::string& directory, const std::vector<std::string>& names, int64_t now_s) {
  TILTH_ASSIGN_OR_RETURN(const KeyAndCertificate authority,
                         MakeAuthority("Tilth farm authority", now_s, kAuthorityLifetimeSeconds));
  TILTH_ASSIGN_OR_RETURN(const std::string server,
                         MakeServerFile(authority, names, now_s, AuthorityOptions{}.server_lifetime_s));
  TILTH_RETURN_IF_ERROR(WriteSecretFile(KeyFile(directory), authority.key_pem));
  TILTH_RETURN_IF_ERROR(WriteSecretFile(CertificateFile(directory), authority.certificate_pem));
  TILTH_RETURN_IF_ERROR(WriteSecretFile(StrCat(directory, "/server.pem"), server));
  return WriteSecretFile(NamesFile(directory), StrCat(absl::StrJoin(names, "\n"), "\n"));
}

}  // namespace

Status CertificateAuthority::Initialize(const std::string& directory, const std::vector<std::string>& names,
                                        const Clock& clock) {
  if (FileExists(directory)) {
    return absl::AlreadyExistsError(StrCat(directory, " is there already: this farm has been initialised"));
  }
  const std::string beside = StrCat(directory, ".new.", getpid());
  TILTH_RETURN_IF_ERROR(MakeDirectories(beside));
  Status made = chmod(beside.c_str(), 0700) == 0 ? absl::OkStatus() : ErrnoStatus(StrCat("closing ", beside));
  if (made.ok()) made = WriteAuthority(beside, names, clock.WallMs() / 1000);
  if (made.ok() && rename(beside.c_str(), directory.c_str()) != 0) made = ErrnoStatus(StrCat("making ", directory));
  if (!made.ok()) {
    std::error_code ignored;
    std::filesystem::remove_all(beside, ignored);
  }
  return made;
}

StatusOr<std::unique_ptr<CertificateAuthority>> CertificateAuthority::Open(const std::string& directory,
                                                                           const Clock& clock,
                                                                           const AuthorityOptions& options) {
  if (!FileExists(directory)) {
    return absl::NotFoundError(StrCat("there is no authority in ", directory, "; make one with `tilth farm init`"));
  }
  std::unique_ptr<CertificateAuthority> opened(new CertificateAuthority(directory, clock, options));
  KeyAndCertificate& authority = opened->authority_;
  TILTH_RETURN_IF_ERROR(CheckSecretFile(KeyFile(directory)));
  TILTH_ASSIGN_OR_RETURN(authority.key_pem, ReadFile(KeyFile(directory)));
  TILTH_ASSIGN_OR_RETURN(authority.certificate_pem, ReadFile(CertificateFile(directory)));
  if (const Status matches = CheckKeyMatches(authority.key_pem, authority.certificate_pem); !matches.ok()) {
    return absl::FailedPreconditionError(
        StrCat("the authority in ", directory, " is damaged (", ToStd(matches.message()), "); restore a copy of it"));
  }
  TILTH_ASSIGN_OR_RETURN(opened->digest_, CertificateDigest(authority.certificate_pem));
  TILTH_ASSIGN_OR_RETURN(const std::string names, ReadFile(NamesFile(directory)));
  opened->names_ = absl::StrSplit(names, '\n', absl::SkipEmpty());
  TILTH_RETURN_IF_ERROR(opened->RenewServerCertificate());
  return opened;
}

StatusOr<std::string> CertificateAuthority::Issue(const std::string& signing_request_pem, const std::string& name,
                                                  const std::string& role, const std::string& device_class) const {
  return SignCertificate(authority_, signing_request_pem,
                         {.name = name,
                          .role = role,
                          .device_class = device_class,
                          .now_s = NowSeconds(),
                          .lifetime_s = options_.member_lifetime_s});
}

Status CertificateAuthority::RenewServerCertificate() const {
  const StatusOr<std::string> present = ReadFile(server_file());
  if (present.ok() && CheckKeyMatches(*present, *present).ok()) {
    TILTH_RETURN_IF_ERROR(CheckSecretFile(server_file()));
    TILTH_ASSIGN_OR_RETURN(const CertificateInfo info, ReadCertificate(*present));
    if (!info.DueForRenewal(NowSeconds())) return absl::OkStatus();
  }
  TILTH_ASSIGN_OR_RETURN(const std::string server,
                         MakeServerFile(authority_, names_, NowSeconds(), options_.server_lifetime_s));
  TILTH_RETURN_IF_ERROR(WriteSecretFile(server_file(), server));
  LogInfo("the tracker has a new certificate");
  return absl::OkStatus();
}

}  // namespace tilth
