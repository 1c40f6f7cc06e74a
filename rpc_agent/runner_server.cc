#include "rpc_agent/runner_server.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/pipe_exchange.h"
#include "rpc_agent/runner/launch.h"

namespace tilth {
namespace {

Status OpenPipe(UniqueFd* read_end, UniqueFd* write_end) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return ErrnoStatus("creating a pipe");
  *read_end = UniqueFd(ends[0]);
  *write_end = UniqueFd(ends[1]);
  return absl::OkStatus();
}

}  // namespace

struct RunnerServer::Pipes {
  UniqueFd request, messages, result;                       // our ends
  UniqueFd runner_request, runner_messages, runner_result;  // the runner's

  Status Open() {
    TILTH_RETURN_IF_ERROR(OpenPipe(&runner_request, &request));
    TILTH_RETURN_IF_ERROR(OpenPipe(&messages, &runner_messages));
    return OpenPipe(&result, &runner_result);
  }
};

Status RunnerServer::Start() {
  server_.reset();
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return ErrnoStatus("creating a socket");
  control_ = UniqueFd(ends[0]);
  const UniqueFd theirs(ends[1]);
  SubprocessOptions options;
  options.argv = options_.program;
  options.argv.emplace_back("serve");
  options.working_directory = options_.working_directory;
  options.stdin_from = theirs.get();
  options.stdout_to = ChildStream::kDiscard;
  TILTH_ASSIGN_OR_RETURN(server_, Subprocess::Start(options));
  return absl::OkStatus();
}

Status RunnerServer::Launch(const std::string& mode, int64_t deadline_ms, Pipes* pipes) {
  runner::Launch launch;
  std::strncpy(launch.mode, mode.c_str(), sizeof launch.mode - 1);
  launch.core = options_.core;
  launch.address_space_bytes = options_.memory_limit_bytes;
  launch.cpu_seconds = deadline_ms / 1000 + 2;
  const int descriptors[runner::kLaunchDescriptors] = {pipes->runner_request.get(), pipes->runner_messages.get(),
                                                       pipes->runner_result.get()};
  iovec data{&launch, sizeof launch};
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof descriptors)] = {};
  msghdr packet{};
  packet.msg_iov = &data;
  packet.msg_iovlen = 1;
  packet.msg_control = space;
  packet.msg_controllen = sizeof space;
  cmsghdr* carried = CMSG_FIRSTHDR(&packet);
  carried->cmsg_level = SOL_SOCKET;
  carried->cmsg_type = SCM_RIGHTS;
  carried->cmsg_len = CMSG_LEN(sizeof descriptors);
  std::memcpy(CMSG_DATA(carried), descriptors, sizeof descriptors);
  if (sendmsg(control_.get(), &packet, MSG_NOSIGNAL) != sizeof launch) {
    return absl::UnavailableError(StrCat("asking the runner's server: ", std::strerror(errno)));
  }
  // The end of what the runner says is seen only if nobody else could say more.
  pipes->runner_request.Reset();
  pipes->runner_messages.Reset();
  pipes->runner_result.Reset();
  return absl::OkStatus();
}

StatusOr<ExitStatus> RunnerServer::ReadEnd() {
  runner::Ended ended;
  ssize_t n;
  while ((n = recv(control_.get(), &ended, sizeof ended, 0)) < 0 && errno == EINTR) {
  }
  if (n != sizeof ended) {
    // The server has died, and its runner with it.
    const std::unique_ptr<Subprocess> dead = std::move(server_);
    return dead->Wait(-1);
  }
  if (ended.error != 0) {
    errno = ended.error;
    return ErrnoStatus("starting a runner");
  }
  ExitStatus exit;
  exit.signalled = WIFSIGNALED(ended.status);
  exit.code = exit.signalled ? WTERMSIG(ended.status) : WEXITSTATUS(ended.status);
  exit.max_rss_bytes = ended.max_rss_bytes;
  return exit;
}

StatusOr<SubprocessOutput> RunnerServer::Run(const std::string& mode, const std::string& request, int64_t deadline_ms,
                                             size_t max_output_bytes) {
  Pipes pipes;
  TILTH_RETURN_IF_ERROR(pipes.Open());
  Status launched = absl::UnavailableError("");
  if (server_ != nullptr) launched = Launch(mode, deadline_ms, &pipes);
  if (!launched.ok()) {
    TILTH_RETURN_IF_ERROR(Start());
    TILTH_RETURN_IF_ERROR(Launch(mode, deadline_ms, &pipes));
  }
  SubprocessOutput output;
  PipeExchange exchange(max_output_bytes);
  exchange.Collect(pipes.messages.get(), &output.stderr_text);
  exchange.Collect(pipes.result.get(), &output.result_bytes);
  exchange.Feed(std::move(pipes.request), request);
  const StatusOr<bool> ended = exchange.RunUntil(control_.get(), deadline_ms);
  if (ended.value_or(false)) {
    StatusOr<ExitStatus> exit = ReadEnd();
    TILTH_RETURN_IF_ERROR(exit.status());
    output.exit = *exit;
  } else {
    // Its runners end with it. The next trial need not wait for another server, and tells if there is none to be had.
    server_.reset();
    Start().IgnoreError();
    TILTH_RETURN_IF_ERROR(ended.status());
    output.exit.deadline_passed = true;
  }
  TILTH_RETURN_IF_ERROR(exchange.Drain());
  return output;
}

}  // namespace tilth
