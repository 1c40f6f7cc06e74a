#include "proto/join.h"

#include <grpcpp/grpcpp.h>
#include <grpcpp/security/tls_certificate_verifier.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <chrono>
#include <optional>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_split.h"
#include "base/clock.h"
#include "base/logging.h"
#include "proto/certificate.h"
#include "proto/dial.h"
#include "proto/farm.grpc.pb.h"
#include "proto/grpc_status.h"
#include "proto/measure.h"

namespace tilth {
namespace {

constexpr char kTokenPrefix[] = "tilth1";
constexpr size_t kIdBytes = 8, kSecretBytes = 16, kDigestBytes = 32;

int64_t NowSeconds() { return SystemClock().WallMs() / 1000; }

std::vector<std::string> SplitCertificates(const std::string& chain_pem) {
  constexpr char kEnd[] = "-----END CERTIFICATE-----\n";
  std::vector<std::string> certificates;
  for (size_t begin = 0, end; (end = chain_pem.find(kEnd, begin)) != std::string::npos; begin = end) {
    end += sizeof kEnd - 1;
    certificates.push_back(chain_pem.substr(begin, end - begin));
  }
  return certificates;
}

// Accepts a server whose chain ends in the certificate that a token pins.
class PinVerifier : public grpc::experimental::ExternalCertificateVerifier {
 public:
  explicit PinVerifier(std::string authority_digest) : authority_digest_(std::move(authority_digest)) {}

  bool Verify(grpc::experimental::TlsCustomVerificationCheckRequest* request, std::function<void(grpc::Status)>,
              grpc::Status* status) override {
    const std::string chain(request->peer_cert_full_chain().data(), request->peer_cert_full_chain().size());
    const std::string certificate(request->peer_cert().data(), request->peer_cert().size());
    *status = grpc::Status(grpc::StatusCode::UNAUTHENTICATED,
                           StrCat(kVerifyFailed, ": it is not of the farm that the token is for"));
    for (const std::string& authority : SplitCertificates(chain)) {
      const StatusOr<std::string> digest = CertificateDigest(authority);
      if (!digest.ok() || *digest != authority_digest_) continue;
      *status = ToGrpc(VerifyCertificate(certificate, authority, NowSeconds(), CertificatePurpose::kServer));
      break;
    }
    return true;
  }
  void Cancel(grpc::experimental::TlsCustomVerificationCheckRequest*) override {}

 private:
  const std::string authority_digest_;
};

std::shared_ptr<grpc::ChannelCredentials> PinnedCredentials(const std::string& authority_digest) {
  grpc::experimental::TlsChannelCredentialsOptions options;
  // Instead of gRPC's own check, whose roots we do not have yet.
  options.set_verify_server_certs(false);
  options.set_check_call_host(false);
  options.set_certificate_verifier(
      grpc::experimental::ExternalCertificateVerifier::Create<PinVerifier>(authority_digest));
  return grpc::experimental::TlsCredentials(options);
}

// Tries again until the deadline while nobody answers, unless the reason is one that waiting does not cure.
template <typename Call>
Status CallPatiently(const std::string& address, const std::shared_ptr<grpc::Channel>& channel,
                     const Identity& identity, int64_t timeout_ms, Call call) {
  const auto stub = proto::Enrolment::NewStub(channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(timeout_ms));
  const Status status = FromGrpc(call(*stub, &context));
  if (!absl::IsUnavailable(status) && !absl::IsDeadlineExceeded(status)) return status;
  TILTH_RETURN_IF_ERROR(ExplainRefusedConnection(address, identity, status));
  return GiveUpOnTracker(address, status);
}

StatusOr<Identity> MakeIdentity(std::string key_pem, const proto::JoinReply& reply) {
  Identity identity{.authority_pem = reply.authority_pem(),
                    .certificate_pem = reply.certificate_pem(),
                    .key_pem = std::move(key_pem)};
  TILTH_RETURN_IF_ERROR(CheckKeyMatches(identity.key_pem, identity.certificate_pem), "the tracker's answer");
  TILTH_RETURN_IF_ERROR(
      VerifyCertificate(identity.certificate_pem, identity.authority_pem, NowSeconds(), CertificatePurpose::kClient),
      "the tracker's answer");
  return identity;
}

}  // namespace

std::string FormatToken(const JoinToken& token) {
  return StrCat(kTokenPrefix, ".", absl::WebSafeBase64Escape(token.id), ".", absl::WebSafeBase64Escape(token.secret),
                ".", absl::WebSafeBase64Escape(token.authority_digest));
}

StatusOr<JoinToken> ParseToken(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, '.');
  JoinToken token;
  if (parts.size() == 4 && parts[0] == kTokenPrefix && absl::WebSafeBase64Unescape(parts[1], &token.id) &&
      absl::WebSafeBase64Unescape(parts[2], &token.secret) &&
      absl::WebSafeBase64Unescape(parts[3], &token.authority_digest) && token.id.size() == kIdBytes &&
      token.secret.size() == kSecretBytes && token.authority_digest.size() == kDigestBytes) {
    return token;
  }
  return absl::InvalidArgumentError(
      "this is not a token, or not all of one: copy the whole line that `tilth farm enroll` printed");
}

StatusOr<Membership> JoinFarm(const std::string& address, const std::string& token, const std::string& agent_id,
                              int64_t timeout_ms) {
  TILTH_ASSIGN_OR_RETURN(const JoinToken parsed, ParseToken(token));
  TILTH_ASSIGN_OR_RETURN(std::string key_pem, MakePrivateKey());
  proto::JoinRequest request;
  request.set_protocol_version(kProtocolVersion);
  request.set_token(token);
  request.set_name(agent_id);
  TILTH_ASSIGN_OR_RETURN(*request.mutable_signing_request_pem(),
                         MakeSigningRequest(key_pem, agent_id.empty() ? "person" : agent_id));
  proto::JoinReply reply;
  // Not empty: whatever goes wrong, this side speaks TLS.
  const Identity speaks_tls{.certificate_pem = "none yet"};
  TILTH_RETURN_IF_ERROR(CallPatiently(address, DialWith(address, PinnedCredentials(parsed.authority_digest)),
                                      speaks_tls, timeout_ms, [&](auto& stub, auto* context) {
                                        context->AddMetadata(kTokenMetadata, token);
                                        return stub.Join(context, request, &reply);
                                      }));
  Membership membership{.device_class = reply.device_class()};
  TILTH_ASSIGN_OR_RETURN(const std::string digest, CertificateDigest(reply.authority_pem()));
  if (digest != parsed.authority_digest)
    return absl::InternalError("the tracker sent another authority than it showed");
  TILTH_ASSIGN_OR_RETURN(membership.identity, MakeIdentity(std::move(key_pem), reply));
  return membership;
}

StatusOr<Identity> RenewIdentity(const std::string& address, const Identity& identity, int64_t timeout_ms) {
  TILTH_ASSIGN_OR_RETURN(const CertificateInfo info, ReadCertificate(identity.certificate_pem));
  TILTH_ASSIGN_OR_RETURN(std::string key_pem, MakePrivateKey());
  proto::RenewRequest request;
  request.set_protocol_version(kProtocolVersion);
  TILTH_ASSIGN_OR_RETURN(*request.mutable_signing_request_pem(), MakeSigningRequest(key_pem, info.name));
  proto::JoinReply reply;
  TILTH_RETURN_IF_ERROR(CallPatiently(address, DialTracker(address, identity), identity, timeout_ms,
                                      [&](auto& stub, auto* context) { return stub.Renew(context, request, &reply); }));
  return MakeIdentity(std::move(key_pem), reply);
}

StatusOr<Identity> LoadFreshIdentity(const std::string& address, const std::string& directory) {
  TILTH_ASSIGN_OR_RETURN(Identity identity, LoadIdentity(directory));
  TILTH_ASSIGN_OR_RETURN(const CertificateInfo info, ReadCertificate(identity.certificate_pem));
  const int64_t now_s = NowSeconds();
  if (now_s > info.not_after_s) {
    return absl::FailedPreconditionError(StrCat("the certificate in ", directory, " expired on ",
                                                FormatUtc(info.not_after_s), "; join the farm at ", address,
                                                " again with a new token"));
  }
  if (!info.DueForRenewal(now_s)) return identity;
  StatusOr<Identity> renewed = RenewIdentity(address, identity);
  if (renewed.ok()) {
    TILTH_RETURN_IF_ERROR(StoreIdentity(directory, *renewed));
    LogInfo("the certificate in ", directory, " has been renewed");
    return renewed;
  }
  LogWarning("renewing the certificate in ", directory, ", which expires on ", FormatUtc(info.not_after_s), ": ",
             ToStd(renewed.status().message()));
  return identity;
}

StatusOr<Identity> FindFreshIdentity(const std::string& address) {
  TILTH_ASSIGN_OR_RETURN(Identity identity, FindIdentity(address));
  if (identity.Empty()) return identity;
  return LoadFreshIdentity(address, IdentityDirectory(address));
}

}  // namespace tilth
