#include "rpc_agent/runner/fault_note.h"

#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

namespace tilth::runner {
namespace {

// How far from the stack pointer a fault is still one of the stack: a frame may be large.
constexpr uint64_t kStackReach = 1 << 20;
constexpr size_t kHandlerStackBytes = 1 << 16;
constexpr int kFaults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGSYS};

alignas(16) char handler_stack[kHandlerStackBytes];

uint64_t StackPointer(const ucontext_t& context) {
#if defined(__x86_64__)
  return static_cast<uint64_t>(context.uc_mcontext.gregs[REG_RSP]);
#else
  return context.uc_mcontext.sp;
#endif
}

// The handler is for once: on return the instruction faults again, and the process dies of it.
void OnFault(int signal, siginfo_t* info, void* context) {
  struct {
    AnswerHeader header;
    FaultNote note;
  } message{};
  message.header = {.op = Op::kFault, .size_bytes = sizeof(FaultNote)};
  message.note.signal = signal;
  if (signal == SIGSYS) {
    message.note.system_call = info->si_syscall;
  } else {
    message.note.address = reinterpret_cast<uint64_t>(info->si_addr);
    const uint64_t stack = StackPointer(*static_cast<const ucontext_t*>(context));
    message.note.in_stack = signal == SIGSEGV && message.note.address - (stack - kStackReach) < 2 * kStackReach;
  }
  [[maybe_unused]] const ssize_t written = write(kAnswerFd, &message, sizeof message);
  // The call is not made again by itself; another that is never allowed is as good.
  if (signal == SIGSYS) syscall(SYS_reboot, 0, 0, 0, 0);
}

struct Meaning {
  long system_call;
  const char* words;
};

constexpr Meaning kMeanings[] = {
    {SYS_clone, "start a process or a thread"},
    {SYS_clone3, "start a process or a thread"},
    {SYS_execve, "start a program"},
    {SYS_execveat, "start a program"},
    {SYS_socket, "open a socket"},
    {SYS_socketpair, "open a socket"},
    {SYS_connect, "use the network"},
    {SYS_openat, "write a file"},
    {SYS_write, "write to a descriptor that is not its own"},
    {SYS_close, "close a descriptor that is not its own"},
    {SYS_dup3, "replace a descriptor"},
    {SYS_dup, "duplicate a descriptor"},
    {SYS_unlinkat, "remove a file"},
    {SYS_mkdirat, "make a directory"},
    {SYS_renameat2, "rename a file"},
    {SYS_kill, "send a signal"},
    {SYS_tgkill, "send a signal"},
    {SYS_tkill, "send a signal"},
    {SYS_rt_sigqueueinfo, "send a signal"},
    {SYS_rt_sigaction, "handle signals or start a thread"},
    {SYS_setpriority, "change its scheduling"},
    {SYS_sched_setaffinity, "change its scheduling"},
    {SYS_sched_setscheduler, "change its scheduling"},
    {SYS_sched_setattr, "change its scheduling"},
    {SYS_ptrace, "trace a process"},
    {SYS_prctl, "change its process"},
    {SYS_io_uring_setup, "use io_uring"},
    {SYS_memfd_create, "make a file in memory"},
    {SYS_setsid, "leave its session"},
    {SYS_setpgid, "leave its group"},
#if defined(__x86_64__)
    {SYS_fork, "start a process"},
    {SYS_vfork, "start a process"},
    {SYS_open, "open a file"},
    {SYS_dup2, "replace a descriptor"},
    {SYS_unlink, "remove a file"},
    {SYS_mkdir, "make a directory"},
    {SYS_rename, "rename a file"},
#endif
};

}  // namespace

void LeaveNoteOnFault() {
  stack_t stack{};
  stack.ss_sp = handler_stack;
  stack.ss_size = sizeof handler_stack;
  sigaltstack(&stack, nullptr);
  struct sigaction action{};
  action.sa_sigaction = OnFault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESETHAND;
  for (const int signal : kFaults) sigaction(signal, &action, nullptr);
}

std::string Describe(const FaultNote& note) {
  if (note.signal == SIGSYS) {
    const char* words = "make a system call that a kernel does not need";
    for (const Meaning& meaning : kMeanings) {
      if (meaning.system_call == note.system_call) words = meaning.words;
    }
    return std::string("tried to ") + words + " (system call " + std::to_string(note.system_call) + ")";
  }
  if (note.in_stack != 0) return "ran out of its stack";
  char text[48];
  std::snprintf(text, sizeof text, "at address 0x%llx", static_cast<unsigned long long>(note.address));
  return text;
}

}  // namespace tilth::runner
