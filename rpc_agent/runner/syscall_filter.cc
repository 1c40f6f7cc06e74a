#include "rpc_agent/runner/syscall_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <iterator>
#include <map>
#include <vector>

#include "rpc_agent/runner/channel.h"

namespace tilth::runner {
namespace {

#if defined(__x86_64__)
constexpr unsigned kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr unsigned kArchitecture = AUDIT_ARCH_AARCH64;
#else
#error "name the audit architecture of this machine"
#endif

constexpr unsigned kAllowed[] = {
    // the channel and clocks
    SYS_read,
    SYS_clock_gettime,
    SYS_getrusage,
    // memory
    SYS_mmap,
    SYS_munmap,
    SYS_mprotect,
    SYS_mremap,
    SYS_madvise,
    SYS_brk,
    // dlopen, which reads; what is there to be read is the sandbox's business
    SYS_pread64,
    SYS_lseek,
    SYS_fstat,
    SYS_newfstatat,
    SYS_readlinkat,
    SYS_getcwd,
    // waiting, which the deadline ends, and locks
    SYS_nanosleep,
    SYS_clock_nanosleep,
    SYS_sched_yield,
    SYS_futex,
    // ending: exit, abort, a handler's return
    SYS_exit,
    SYS_exit_group,
    SYS_rt_sigreturn,
    SYS_rt_sigprocmask,
    SYS_getpid,
    SYS_gettid,
    SYS_restart_syscall,
    SYS_getrandom,
#if defined(__x86_64__)
    SYS_readlink,
    SYS_access,
#endif
};

using Code = std::vector<sock_filter>;

sock_filter Statement(int code, unsigned operand) { return {static_cast<unsigned short>(code), 0, 0, operand}; }

sock_filter Jump(int test, unsigned value, size_t if_true, size_t if_false) {
  return {static_cast<unsigned short>(BPF_JMP | test | BPF_K), static_cast<unsigned char>(if_true),
          static_cast<unsigned char>(if_false), value};
}

sock_filter Return(unsigned action) { return Statement(BPF_RET | BPF_K, action); }

void Append(Code* code, const Code& more) { code->insert(code->end(), more.begin(), more.end()); }

// Arguments of the calls that are looked into are 32 bits wide: the low half, on a little-endian machine.
sock_filter LoadArgument(int argument) {
  const size_t offset = offsetof(seccomp_data, args) + sizeof(uint64_t) * static_cast<size_t>(argument);
  return Statement(BPF_LD | BPF_W | BPF_ABS, static_cast<unsigned>(offset));
}

// Allowed if the bits `mask` of an argument are one of `values`.
Code AllowIf(int argument, unsigned mask, const std::vector<unsigned>& values) {
  Code code = {LoadArgument(argument), Statement(BPF_ALU | BPF_AND | BPF_K, mask)};
  for (const unsigned value : values) Append(&code, {Jump(BPF_JEQ, value, 0, 1), Return(SECCOMP_RET_ALLOW)});
  code.push_back(Return(SECCOMP_RET_TRAP));
  return code;
}

using Rules = std::map<unsigned, Code>;  // by system call

// A binary search for the call's rule. Installing a filter runs it once for every call that there is, so a list of
// comparisons would cost a trial more than all else that the sandbox does.
Code Search(Rules::const_iterator first, size_t count) {
  if (count == 1) {
    Code code = {Jump(BPF_JEQ, first->first, 1, 0), Return(SECCOMP_RET_TRAP)};
    Append(&code, first->second);
    return code;
  }
  const auto middle = std::next(first, static_cast<std::ptrdiff_t>(count / 2));
  const Code below = Search(first, count / 2), rest = Search(middle, count - count / 2);
  Code code = {Jump(BPF_JGE, middle->first, below.size(), 0)};
  Append(&code, below);
  Append(&code, rest);
  return code;
}

Code Program(const Rules& rules) {
  Code code = {Statement(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)), Jump(BPF_JEQ, kArchitecture, 1, 0),
               Return(SECCOMP_RET_KILL_PROCESS), Statement(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
#if defined(__x86_64__)
  constexpr unsigned kX32Bit = 0x40000000;
  Append(&code, {Jump(BPF_JGE, kX32Bit, 0, 1), Return(SECCOMP_RET_KILL_PROCESS)});
#endif
  Append(&code, Search(rules.begin(), rules.size()));
  return code;
}

}  // namespace

bool FilterSystemCalls() {
  constexpr unsigned kAll = ~0u;
  constexpr unsigned kWritingFlags = O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND | (O_TMPFILE & ~O_DIRECTORY);
  Rules rules;
  for (const unsigned call : kAllowed) rules[call] = {Return(SECCOMP_RET_ALLOW)};
  // printf asks whether it writes to a terminal.
  rules[SYS_ioctl] = {Return(SECCOMP_RET_ERRNO | ENOTTY)};
  rules[SYS_write] = rules[SYS_writev] = AllowIf(0, kAll, {STDOUT_FILENO, STDERR_FILENO, kAnswerFd});
  rules[SYS_openat] = AllowIf(2, kWritingFlags, {O_RDONLY});
  // Files that dlopen has read; the descriptors of the channel stay.
  rules[SYS_close] = {LoadArgument(0), Jump(BPF_JGT, kOutputsFd, 1, 0), Return(SECCOMP_RET_TRAP),
                      Return(SECCOMP_RET_ALLOW)};
  // abort() sends its own process a signal.
  rules[SYS_tgkill] = {LoadArgument(0), Jump(BPF_JEQ, static_cast<unsigned>(getpid()), 1, 0), Return(SECCOMP_RET_TRAP)};
  Append(&rules[SYS_tgkill], AllowIf(2, kAll, {SIGABRT}));
  Code code = Program(rules);
  sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

}  // namespace tilth::runner
