#include "rpc_agent/runner/sandbox.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <vector>

namespace tilth::runner {
namespace {

#if defined(__x86_64__)
constexpr unsigned kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr unsigned kArchitecture = AUDIT_ARCH_AARCH64;
#else
#error "name the audit architecture of this machine"
#endif

constexpr unsigned kForbidden[] = {
    SYS_socket,   SYS_socketpair, SYS_connect, SYS_bind,     SYS_clone,     SYS_clone3,   SYS_execve,
    SYS_execveat, SYS_ptrace,     SYS_kill,    SYS_unlinkat, SYS_renameat2, SYS_truncate, SYS_ftruncate,
    SYS_mkdirat,  SYS_setns,      SYS_unshare, SYS_mount,
#if defined(__x86_64__)
    SYS_fork,     SYS_vfork,      SYS_unlink,  SYS_rename,   SYS_renameat,  SYS_rmdir,    SYS_mkdir,
#endif
};

sock_filter Statement(unsigned short code, unsigned operand) { return {code, 0, 0, operand}; }
sock_filter JumpIfEqual(unsigned value, unsigned char if_true, unsigned char if_false) {
  return {BPF_JMP | BPF_JEQ | BPF_K, if_true, if_false, value};
}

}  // namespace

bool EnterSandbox() {
  std::vector<sock_filter> program = {
      Statement(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
      JumpIfEqual(kArchitecture, 1, 0),
      Statement(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      Statement(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
  };
  for (unsigned call : kForbidden) {
    program.push_back(JumpIfEqual(call, 0, 1));
    program.push_back(Statement(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM));
  }
  program.push_back(Statement(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
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
