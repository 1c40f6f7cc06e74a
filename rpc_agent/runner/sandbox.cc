#include "rpc_agent/runner/sandbox.h"

#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "rpc_agent/runner/channel.h"
#include "rpc_agent/runner/syscall_filter.h"

namespace tilth::runner {
namespace {

constexpr rlim_t kStackBytes = rlim_t{8} << 20;
constexpr uid_t kNobody = 65534;

void Limit(int resource, rlim_t most) {
  rlimit limit{};
  if (getrlimit(static_cast<__rlimit_resource>(resource), &limit) != 0) return;
  if (limit.rlim_max < most) most = limit.rlim_max;
  limit.rlim_cur = limit.rlim_max = most;
  setrlimit(static_cast<__rlimit_resource>(resource), &limit);
}

bool EnterRootDirectory(const std::string& directory) {
  // Without the privilege a user namespace of its own gives it.
  if (geteuid() != 0) unshare(CLONE_NEWUSER);
  return chdir(directory.c_str()) == 0 && chroot(".") == 0;
}

bool DropPrivileges() {
  if (geteuid() == 0) {
    [[maybe_unused]] const int groups = setgroups(0, nullptr);  // not to be had in a user namespace
    if (setresgid(kNobody, kNobody, kNobody) == 0 && setresuid(kNobody, kNobody, kNobody) == 0) return true;
  }
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[2] = {};
  return syscall(SYS_capset, &header, none) == 0;
}

}  // namespace

std::string SandboxLayers::Describe() const {
  std::string text = system_calls ? "system call filter" : "NO system call filter";
  text += root_directory ? ", own root directory" : ", NO own root directory";
  return text + (unprivileged ? ", no privileges" : ", the agent's privileges");
}

SandboxLayers EnterSandbox(const std::string& directory) {
  SandboxLayers layers;
  layers.root_directory = EnterRootDirectory(directory);
  Limit(RLIMIT_FSIZE, 0);
  Limit(RLIMIT_CORE, 0);
  Limit(RLIMIT_MEMLOCK, 0);
  Limit(RLIMIT_NPROC, 0);
  Limit(RLIMIT_MSGQUEUE, 0);
  Limit(RLIMIT_STACK, kStackBytes);
  Limit(RLIMIT_NOFILE, kMaxDescriptors);
  layers.unprivileged = DropPrivileges();
  // Which a change of user takes away.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  layers.system_calls = FilterSystemCalls();
  return layers;
}

void ClaimCore(int core) {
  constexpr int kPriority = -15;
  setpriority(PRIO_PROCESS, 0, kPriority);
  PinToCore(core);
}

void PinToCore(int core) {
  if (core < 0 || core >= CPU_SETSIZE) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  sched_setaffinity(0, sizeof set, &set);
}

}  // namespace tilth::runner
