#include "farm/security.h"

#include "base/files.h"
#include "base/logging.h"
#include "proto/certificate.h"
#include "proto/grpc_status.h"
#include "proto/measure.h"
#include "proto/names.h"

namespace tilth {
namespace {

constexpr size_t kMaxRequestBytes = 64 << 10;
constexpr int64_t kRenewalCheckNs = 1'000'000'000;

std::string AuthorityDirectory(const std::string& state_directory) { return StrCat(state_directory, "/authority"); }
std::string EnrolmentFile(const std::string& state_directory) {
  return StrCat(AuthorityDirectory(state_directory), "/members.db");
}

// Strangers may call Join: nothing of theirs is parsed further than this.
Status CheckRequest(int protocol_version, size_t bytes) {
  if (protocol_version != kProtocolVersion) return ProtocolMismatch("tracker", protocol_version, kProtocolVersion);
  if (bytes <= kMaxRequestBytes) return absl::OkStatus();
  return absl::InvalidArgumentError(StrCat("a request to join is at most ", kMaxRequestBytes, " bytes long"));
}

Peer PeerOf(const Certified& certified) {
  return {.name = certified.name,
          .role = certified.role,
          .device_class = certified.device_class,
          .serial = certified.serial};
}

}  // namespace

bool FarmSecurity::IsInitialised(const std::string& state_directory) {
  return FileExists(AuthorityDirectory(state_directory));
}

StatusOr<Identity> FarmSecurity::Initialize(const std::string& state_directory, const std::vector<std::string>& names,
                                            const std::string& administrator, const Clock& clock) {
  // Before there is an authority, which a second attempt would not replace.
  if (!IsPlainName(administrator)) {
    return absl::InvalidArgumentError(StrCat("'", Printable(administrator), "' cannot be an administrator's name"));
  }
  TILTH_RETURN_IF_ERROR(MakeDirectories(state_directory));
  TILTH_RETURN_IF_ERROR(CertificateAuthority::Initialize(AuthorityDirectory(state_directory), names, clock));
  TILTH_ASSIGN_OR_RETURN(const std::unique_ptr<FarmSecurity> security, OpenAll(state_directory, clock, {}));
  Identity identity{.authority_pem = security->authority_->certificate_pem()};
  TILTH_ASSIGN_OR_RETURN(identity.key_pem, MakePrivateKey());
  TILTH_ASSIGN_OR_RETURN(const std::string request, MakeSigningRequest(identity.key_pem, administrator));
  TILTH_ASSIGN_OR_RETURN(Certified certified, security->enrolment_->Certify(request, administrator, kRoleAdmin, ""));
  TILTH_RETURN_IF_ERROR(security->audit_->Write(PeerOf(certified), {.action = "init"}));
  identity.certificate_pem = std::move(certified.certificate_pem);
  return identity;
}

StatusOr<std::unique_ptr<FarmSecurity>> FarmSecurity::Open(const std::string& state_directory, const Clock& clock,
                                                           const AuthorityOptions& options) {
  // The administrator is in it from the beginning. An authority without it has forgotten whom it has shut out.
  const std::string members = EnrolmentFile(state_directory);
  if (IsInitialised(state_directory) && ReadFile(members).value_or("").empty()) {
    return absl::FailedPreconditionError(StrCat(
        members,
        " is gone or empty: without it nobody knows which certificates were revoked. Restore the newest copy of ",
        AuthorityDirectory(state_directory), ", or make a new farm in another directory"));
  }
  return OpenAll(state_directory, clock, options);
}

StatusOr<std::unique_ptr<FarmSecurity>> FarmSecurity::OpenAll(const std::string& state_directory, const Clock& clock,
                                                              const AuthorityOptions& options) {
  std::unique_ptr<FarmSecurity> security(new FarmSecurity(clock));
  TILTH_ASSIGN_OR_RETURN(security->authority_,
                         CertificateAuthority::Open(AuthorityDirectory(state_directory), clock, options));
  TILTH_ASSIGN_OR_RETURN(security->enrolment_,
                         Enrolment::Open(EnrolmentFile(state_directory), *security->authority_, clock));
  TILTH_ASSIGN_OR_RETURN(security->audit_, AuditLog::Open(StrCat(state_directory, "/audit.log"), clock));
  security->access_ = std::make_unique<Access>(*security->authority_, *security->enrolment_, clock);
  return security;
}

StatusOr<proto::JoinReply> FarmSecurity::Join(const proto::JoinRequest& request) {
  TILTH_RETURN_IF_ERROR(CheckRequest(request.protocol_version(), request.ByteSizeLong()));
  const StatusOr<Certified> certified =
      enrolment_->Join(request.token(), request.name(), request.signing_request_pem());
  if (!certified.ok()) {
    audit_->WriteRefusal({}, "/tilth.proto.Enrolment/Join", certified.status());
    return certified.status();
  }
  TILTH_RETURN_IF_ERROR(
      audit_->Write(PeerOf(*certified), {.action = "join", .details = {{"device_class", certified->device_class}}}));
  proto::JoinReply reply;
  reply.set_certificate_pem(certified->certificate_pem);
  reply.set_authority_pem(authority_->certificate_pem());
  reply.set_device_class(certified->device_class);
  return reply;
}

StatusOr<proto::JoinReply> FarmSecurity::Renew(const Peer& peer, const proto::RenewRequest& request) {
  TILTH_RETURN_IF_ERROR(CheckRequest(request.protocol_version(), request.ByteSizeLong()));
  TILTH_ASSIGN_OR_RETURN(const Certified certified, enrolment_->Renew(peer.serial, request.signing_request_pem()));
  TILTH_RETURN_IF_ERROR(audit_->Write(peer, {.action = "renew", .details = {{"new_serial", certified.serial}}}));
  proto::JoinReply reply;
  reply.set_certificate_pem(certified.certificate_pem);
  reply.set_authority_pem(authority_->certificate_pem());
  reply.set_device_class(certified.device_class);
  return reply;
}

StatusOr<proto::CreateTokenReply> FarmSecurity::CreateToken(const Peer& peer,
                                                            const proto::CreateTokenRequest& request) {
  TILTH_RETURN_IF_ERROR(CheckRequest(request.protocol_version(), request.ByteSizeLong()));
  TILTH_ASSIGN_OR_RETURN(const NewToken token, enrolment_->CreateToken({.role = request.role(),
                                                                        .name = request.name(),
                                                                        .device_class = request.device_class(),
                                                                        .lifetime_s = request.lifetime_s()}));
  TILTH_RETURN_IF_ERROR(audit_->Write(peer, {.action = "token",
                                             .details = {{"for_role", request.role()},
                                                         {"for_name", request.name()},
                                                         {"device_class", request.device_class()},
                                                         {"expires", FormatUtc(token.expires_unix_s)}}}));
  proto::CreateTokenReply reply;
  reply.set_token(token.text);
  reply.set_expires_unix_s(token.expires_unix_s);
  reply.set_tracker_name(public_name());
  return reply;
}

StatusOr<proto::RevokeReply> FarmSecurity::Revoke(const Peer& peer, const proto::RevokeRequest& request) {
  TILTH_RETURN_IF_ERROR(CheckRequest(request.protocol_version(), request.ByteSizeLong()));
  TILTH_RETURN_IF_ERROR(audit_->Write(peer, {.action = "revoke", .details = {{"whom", request.name()}}}));
  const StatusOr<std::vector<std::string>> serials = enrolment_->Revoke(request.name());
  if (!serials.ok()) audit_->WriteRefusal(peer, "/tilth.proto.Operations/Revoke", serials.status());
  TILTH_RETURN_IF_ERROR(serials.status());
  CloseBadStreams();
  proto::RevokeReply reply;
  reply.set_certificates(static_cast<int>(serials->size()));
  return reply;
}

int64_t FarmSecurity::AddStream(const Peer& peer, CloseStream close) {
  std::lock_guard lock(mutex_);
  streams_.emplace(next_stream_, Stream{peer, std::move(close)});
  return next_stream_++;
}

void FarmSecurity::RemoveStream(int64_t stream) {
  std::lock_guard lock(mutex_);
  streams_.erase(stream);
}

void FarmSecurity::CloseBadStreams() {
  std::vector<std::pair<CloseStream, Status>> bad;
  {
    std::lock_guard lock(mutex_);
    for (auto it = streams_.begin(); it != streams_.end();) {
      const Status status = access_->CheckStillGood(it->second.peer);
      if (!status.ok()) bad.emplace_back(std::move(it->second.close), status);
      it = status.ok() ? std::next(it) : streams_.erase(it);
    }
  }
  for (const auto& [close, why] : bad) close(why);
}

void FarmSecurity::Tick() {
  const int64_t now_ns = clock_.NowNs();
  {
    std::lock_guard lock(mutex_);
    if (now_ns < next_renewal_check_ns_) return;
    next_renewal_check_ns_ = now_ns + kRenewalCheckNs;
  }
  CloseBadStreams();
  if (const Status renewed = authority_->RenewServerCertificate(); !renewed.ok()) {
    LogError("renewing the tracker's certificate: ", ToStd(renewed.message()));
  }
}

std::string FarmSecurity::public_name() const { return authority_->names().empty() ? "" : authority_->names().front(); }

}  // namespace tilth
