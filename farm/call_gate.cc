#include "farm/call_gate.h"

#include <grpcpp/security/auth_metadata_processor.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

#include "proto/dial.h"
#include "proto/grpc_status.h"
#include "proto/join.h"

namespace tilth {
namespace {

constexpr unsigned int kReadServerFileEverySeconds = 1;

std::string CertificateOf(const grpc::AuthContext& context) {
  const std::vector<grpc::string_ref> values = context.FindPropertyValues(GRPC_X509_PEM_CERT_PROPERTY_NAME);
  return values.size() == 1 ? std::string(values[0].data(), values[0].size()) : "";
}

class CallGate : public grpc::AuthMetadataProcessor {
 public:
  explicit CallGate(FarmSecurity& security) : security_(security) {}

  bool IsBlocking() const override { return false; }

  grpc::Status Process(const InputMetadata& metadata, grpc::AuthContext* context, OutputMetadata*,
                       OutputMetadata*) override {
    const auto path = metadata.find(":path");
    const std::string method = path == metadata.end() ? "" : std::string(path->second.data(), path->second.size());
    StatusOr<Peer> peer = Peer{};
    Status status;
    if (NeedsNoCertificate(method)) {
      const auto token = metadata.find(kTokenMetadata);
      status =
          security_.CheckToken(token == metadata.end() ? "" : std::string(token->second.data(), token->second.size()));
    } else {
      peer = security_.access().Identify(CertificateOf(*context));
      status = peer.ok() ? CheckMayCall(*peer, method) : peer.status();
    }
    if (!status.ok()) security_.audit().WriteRefusal(peer.value_or(Peer{}), method, status);
    return ToGrpc(status);
  }

 private:
  FarmSecurity& security_;
};

}  // namespace

std::shared_ptr<grpc::ServerCredentials> MakeServerCredentials(FarmSecurity* security) {
  RouteGrpcLog();
  if (security == nullptr) return grpc::InsecureServerCredentials();
  const std::string file = security->authority().server_file();
  grpc::experimental::TlsServerCredentialsOptions options(
      std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(file, file, kReadServerFileEverySeconds));
  options.watch_identity_key_cert_pairs();
  // TLS proves that the client has the key of the certificate; the gate verifies the certificate (access.h says why).
  options.set_cert_request_type(GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_BUT_DONT_VERIFY);
  std::shared_ptr<grpc::ServerCredentials> credentials = grpc::experimental::TlsServerCredentials(options);
  credentials->SetAuthMetadataProcessor(std::make_shared<CallGate>(*security));
  return credentials;
}

StatusOr<Peer> CallerOf(const grpc::ServerContextBase& context, FarmSecurity* security) {
  if (security == nullptr) return AnybodyInTheClear();
  return security->access().Identify(CertificateOf(*context.auth_context()));
}

Status CheckClearTextAllowed(const std::string& address, bool clear_text_allowed) {
  if (clear_text_allowed || IsLoopback(address)) return absl::OkStatus();
  return absl::FailedPreconditionError(
      StrCat("refusing to listen at ", address,
             " in the clear: whoever reaches it could run code on every device. Make the farm's certificates first "
             "(`tilth farm init --state DIR --name HOST`), or say twice that the network can be trusted: --insecure "
             "--yes-in-the-clear"));
}

}  // namespace tilth
