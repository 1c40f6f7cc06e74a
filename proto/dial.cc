#include "proto/dial.h"

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>
#include <grpcpp/grpcpp.h>

#include <mutex>

#include "base/logging.h"

namespace tilth {
namespace {

constexpr int kMaxMessageBytes = 256 << 20;

}  // namespace

void RouteGrpcLog() {
  static std::once_flag once;
  std::call_once(once, [] {
    gpr_set_log_function([](gpr_log_func_args* arguments) { LogDebug("gRPC: ", arguments->message); });
    google::protobuf::SetLogHandler([](google::protobuf::LogLevel, const char*, int, const std::string& message) {
      LogDebug("protobuf: ", message);
    });
  });
}

std::shared_ptr<grpc::Channel> DialTracker(const std::string& address, const Identity& identity) {
  return DialWith(address, MakeChannelCredentials(identity));
}

std::shared_ptr<grpc::Channel> DialWith(const std::string& address,
                                        const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
  RouteGrpcLog();
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  arguments.SetMaxSendMessageSize(kMaxMessageBytes);
  // Subchannels are otherwise shared by the process, with their memory of failures.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 10'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5'000);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  // A proxy in the environment is for the web, not for a tracker on loopback or in the lab.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetSslTargetNameOverride(kTrackerTlsName);
  return grpc::CreateCustomChannel(address, credentials, arguments);
}

}  // namespace tilth
