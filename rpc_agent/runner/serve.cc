// tilth-runner serve: stays, and forks a runner for every request of the agent. A program that is started anew has to
// be loaded, linked and has to learn what processor it is on, which costs more than most kernels take. Every runner
// begins with the same memory, that of a process that has never seen a request.
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "rpc_agent/runner/launch.h"
#include "rpc_agent/runner/modes.h"
#include "rpc_agent/runner/request.h"
#include "rpc_agent/runner/sandbox.h"

namespace tilth::runner {
namespace {

constexpr int kControlFd = STDIN_FILENO;

// A packet with its descriptors; false when the agent has gone or says what no agent says.
bool Receive(Launch* launch, int* descriptors) {
  iovec data{launch, sizeof *launch};
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof(int) * kLaunchDescriptors)];
  msghdr packet{};
  packet.msg_iov = &data;
  packet.msg_iovlen = 1;
  packet.msg_control = space;
  packet.msg_controllen = sizeof space;
  ssize_t n;
  while ((n = recvmsg(kControlFd, &packet, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR) {
  }
  const cmsghdr* carried = n == sizeof *launch ? CMSG_FIRSTHDR(&packet) : nullptr;
  if (carried == nullptr || carried->cmsg_type != SCM_RIGHTS ||
      carried->cmsg_len != CMSG_LEN(sizeof(int) * kLaunchDescriptors)) {
    return false;
  }
  std::memcpy(descriptors, CMSG_DATA(carried), sizeof(int) * kLaunchDescriptors);
  launch->mode[sizeof launch->mode - 1] = '\0';
  return true;
}

void Limit(int resource, int64_t value) {
  if (value <= 0) return;
  const rlimit limit{static_cast<rlim_t>(value), static_cast<rlim_t>(value)};
  setrlimit(static_cast<__rlimit_resource>(resource), &limit);
}

// A fork; with processes of its own, none of which outlives it, where the system allows that.
pid_t ForkApart() {
  const auto pid = static_cast<pid_t>(syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0));
  return pid >= 0 ? pid : fork();
}

[[noreturn]] void BecomeRunner(const Launch& launch, const int* descriptors) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // An agent that died before that is noticed by its socket.
  pollfd agent{kControlFd, 0, 0};
  if (poll(&agent, 1, 0) > 0) _exit(1);
  setpgid(0, 0);
  const int places[kLaunchDescriptors] = {STDIN_FILENO, STDERR_FILENO, kReplyFd};
  for (int i = 0; i < kLaunchDescriptors; ++i) {
    if (dup2(descriptors[i], places[i]) < 0) _exit(1);
  }
  for (int i = 0; i < kLaunchDescriptors; ++i) close(descriptors[i]);
  Limit(RLIMIT_AS, launch.address_space_bytes);
  Limit(RLIMIT_CPU, launch.cpu_seconds);
  const int status = RunMode(launch.mode);
  _exit(status == kNoSuchMode ? 2 : status);
}

Ended RunToEnd(const Launch& launch, const int* descriptors) {
  Ended ended;
  const pid_t pid = ForkApart();
  if (pid == 0) BecomeRunner(launch, descriptors);
  if (pid < 0) ended.error = errno;
  // The agent sees the end of what the runner says only if nobody else could say more.
  for (int i = 0; i < kLaunchDescriptors; ++i) close(descriptors[i]);
  if (pid < 0) return ended;
  rusage usage{};
  while (wait4(pid, &ended.status, 0, &usage) < 0) {
    if (errno == EINTR) continue;
    ended.error = errno;
    return ended;
  }
  // Without processes of its own, what it started may outlive it.
  kill(-pid, SIGKILL);
  ended.max_rss_bytes = int64_t{usage.ru_maxrss} * 1024;
  return ended;
}

}  // namespace

int Serve() {
  // Taken, so that no descriptor that comes with a request has the number of one that it is to become.
  if (dup2(kControlFd, kReplyFd) < 0) return 1;
  Launch launch;
  for (int descriptors[kLaunchDescriptors]; Receive(&launch, descriptors);) {
    PinToCore(launch.core);
    const Ended ended = RunToEnd(launch, descriptors);
    if (send(kControlFd, &ended, sizeof ended, MSG_NOSIGNAL) != sizeof ended) return 0;
  }
  return 0;
}

}  // namespace tilth::runner
