// Why a connection to a tracker is refused (dial.h): begins to speak TLS and looks at the first bytes of the answer.
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/posix.h"
#include "proto/dial.h"
#include "proto/grpc_status.h"
#include "proto/openssl_types.h"

namespace tilth {
namespace {

// What a TLS server begins with: a handshake record or an alert. HTTP/2 in the clear begins with a length.
constexpr unsigned char kTlsAlert = 0x15, kTlsHandshake = 0x16;

// The first message of a client of TLS.
std::string ClientHello() {
  const std::unique_ptr<SSL_CTX, openssl::Deleter<SSL_CTX_free>> context(SSL_CTX_new(TLS_client_method()));
  if (context == nullptr) return "";
  const std::unique_ptr<SSL, openssl::Deleter<SSL_free>> session(SSL_new(context.get()));
  BIO* in = BIO_new(BIO_s_mem());
  BIO* out = BIO_new(BIO_s_mem());
  if (session == nullptr || in == nullptr || out == nullptr) return "";
  SSL_set_bio(session.get(), in, out);
  SSL_connect(session.get());  // wants an answer that does not come
  ERR_clear_error();
  char* data = nullptr;
  const long size = BIO_get_mem_data(out, &data);  // NOLINT(google-runtime-int): OpenSSL's type
  return std::string(data, static_cast<size_t>(size));
}

bool WaitFor(int fd, short events, int64_t deadline_ns) {  // NOLINT(google-runtime-int): poll's type
  pollfd waiting{fd, events, 0};
  const int64_t left_ms = (deadline_ns - SystemClock().NowNs()) / 1'000'000;
  return left_ms > 0 && poll(&waiting, 1, static_cast<int>(left_ms)) == 1;
}

UniqueFd Connect(const addrinfo& address, int64_t deadline_ns) {
  UniqueFd fd(socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return {};
  if (connect(fd.get(), address.ai_addr, address.ai_addrlen) == 0) return fd;
  int error = 0;
  socklen_t size = sizeof error;
  if (errno != EINPROGRESS || !WaitFor(fd.get(), POLLOUT, deadline_ns) ||
      getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
    return {};
  }
  return fd;
}

}  // namespace

Protocol ProbeProtocol(const std::string& address, int64_t timeout_ms) {
  const int64_t deadline_ns = SystemClock().NowNs() + timeout_ms * 1'000'000;
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) return Protocol::kUnreachable;
  std::string host = address.substr(0, colon);
  if (host.starts_with("[") && host.ends_with("]")) host = host.substr(1, host.size() - 2);
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), address.c_str() + colon + 1, &wanted, &found) != 0) return Protocol::kUnreachable;
  const std::unique_ptr<addrinfo, openssl::Deleter<freeaddrinfo>> addresses(found);
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    const UniqueFd fd = Connect(*one, deadline_ns);
    const std::string hello = ClientHello();
    if (!fd.valid() || send(fd.get(), hello.data(), hello.size(), MSG_NOSIGNAL) < 0) continue;
    unsigned char first = 0;
    if (!WaitFor(fd.get(), POLLIN, deadline_ns) || recv(fd.get(), &first, 1, 0) != 1) return Protocol::kUnreachable;
    return first == kTlsAlert || first == kTlsHandshake ? Protocol::kTls : Protocol::kClear;
  }
  return Protocol::kUnreachable;
}

Status ExplainRefusedConnection(const std::string& address, const Identity& identity, const Status& failure) {
  if (SaidByPeer(failure)) return absl::OkStatus();
  const Protocol spoken = ProbeProtocol(address);
  if (spoken == Protocol::kTls && identity.Empty()) {
    return absl::FailedPreconditionError(
        StrCat("the tracker at ", address, " speaks TLS, this side plain text: join its farm first (`tilth farm join ",
               address, " --token TOKEN`, on a device `tilth-agent join ", address,
               " --token TOKEN`), or name the identity (--identity DIR)"));
  }
  if (spoken == Protocol::kClear && !identity.Empty()) {
    return absl::FailedPreconditionError(
        StrCat("this side speaks TLS, but who listens at ", address,
               " does not: a tracker whose state has not been initialised (`tilth farm init`), or something else"));
  }
  if (spoken == Protocol::kTls && failure.message().find(kVerifyFailed) != absl::string_view::npos) {
    return absl::FailedPreconditionError(
        StrCat("who listens at ", address,
               " does not show a valid certificate of the farm that was joined: another tracker, a farm that has been "
               "made anew (join it again), or a wrong clock"));
  }
  return absl::OkStatus();
}

Status GiveUpOnTracker(const std::string& address, const Status& failure) {
  if (SaidByPeer(failure)) {
    return absl::UnavailableError(
        StrCat("the tracker at ", address, " answers, but cannot work: ", ToStd(failure.message())));
  }
  return absl::UnavailableError(StrCat("no tracker answers at ", address, " (", ToStd(failure.message()),
                                       "); check the address, or start one with `tilth farm serve`"));
}

}  // namespace tilth
