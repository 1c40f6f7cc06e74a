#include "rpc_agent/hostile_kernels.h"

namespace tilth {
namespace {

constexpr char kHeaders[] =
    "#include <errno.h>\n#include <fcntl.h>\n#include <pthread.h>\n#include <sched.h>\n"
    "#include <signal.h>\n#include <stdint.h>\n#include <sys/mman.h>\n#include <sys/ptrace.h>\n"
    "#include <sys/resource.h>\n#include <sys/socket.h>\n#include <sys/syscall.h>\n#include <unistd.h>\n"
    "static void* nothing(void* p) { return p; }\n"
    "static int deeper(int n) { volatile char frame[4096]; frame[0] = n; return deeper(n + 1) + frame[0]; }\n";

TestKernel Doing(const std::string& body) { return {.preamble = kHeaders, .run_body = body}; }

TestKernel WhenLoaded(const std::string& body) {
  return {.preamble = StrCat(kHeaders, "__attribute__((constructor)) static void loaded(void) { ", body, " }")};
}

// Calls that the sandbox forbids, and the words for them.
std::vector<HostileKernel> Forbidden() {
  const struct {
    const char *name, *body, *words;
  } cases[] = {
      {"fork bomb", "for (;;) fork();", "tried to start a process"},
      {"thread", "pthread_t t; pthread_create(&t, 0, nothing, 0);", "start a thread"},
      {"program", "execl(\"/bin/sh\", \"sh\", \"-c\", \"true\", NULL);", "tried to start a program"},
      {"file writer",
       "for (int i = 0;; ++i) { char p[64]; sprintf(p, \"/tmp/tilth-hostile-%d\", i); FILE* f = fopen(p, \"w\");"
       "  if (f) for (int j = 0; j < 1 << 20; ++j) fwrite(p, 1, sizeof p, f); }",
       "tried to write a file"},
      {"file in its directory", "open(\"x\", O_RDWR | O_CREAT, 0666);", "tried to write a file"},
      {"file remover", "unlinkat(AT_FDCWD, \"artifact.so\", 0);", "tried to remove a file"},
      {"file in memory", "memfd_create(\"x\", 0);", "tried to make a file in memory"},
      {"socket opener", "socket(AF_INET, SOCK_STREAM, 0);", "tried to open a socket"},
      {"killer of its parent", "kill(1, SIGKILL);", "tried to send a signal"},
      {"killer of everybody", "kill(-1, SIGKILL);", "tried to send a signal"},
      {"stops itself", "raise(SIGSTOP);", "tried to send a signal"},
      {"deaf to signals", "signal(SIGTERM, SIG_IGN);", "tried to handle signals"},
      {"own priority", "setpriority(PRIO_PROCESS, 0, -20);", "tried to change its scheduling"},
      {"own cores", "cpu_set_t s; CPU_ZERO(&s); CPU_SET(0, &s); sched_setaffinity(0, sizeof s, &s);",
       "tried to change its scheduling"},
      {"leaves its session", "setsid();", "tried to leave its session"},
      {"tracer", "ptrace(PTRACE_ATTACH, 1, 0, 0);", "tried to trace a process"},
      {"io_uring", "syscall(SYS_io_uring_setup, 1, 0);", "tried to use io_uring"},
      {"closes the channel", "close(3);", "tried to close a descriptor"},
      {"replaces the channel", "dup3(2, 3, 0);", "tried to replace a descriptor"},
      {"unknown call", "syscall(SYS_userfaultfd, 0);", "a system call that a kernel does not need"},
  };
  std::vector<HostileKernel> kernels;
  for (const auto& c : cases) {
    kernels.push_back({c.name, Doing(c.body), MeasureErrorKind::kRunCrash, c.words});
  }
  return kernels;
}

std::vector<HostileKernel> Dying() {
  return {
      {"segfault", Doing("*(volatile int*)8 = 1;"), MeasureErrorKind::kRunCrash, "at address 0x8: killed by signal 11"},
      {"stack overflow", Doing("y[0] = deeper(1);"), MeasureErrorKind::kRunCrash, "ran out of its stack"},
      {"_exit", Doing("_exit(0);"), MeasureErrorKind::kRunCrash, "exited with status 0 before it had an answer"},
      {"abort", Doing("abort();"), MeasureErrorKind::kRunCrash, "signal 6"},
      {"unmaps its runner",
       Doing("munmap((void*)((uintptr_t)__builtin_return_address(0) & ~(uintptr_t)0xffff), 1 << 20);"),
       MeasureErrorKind::kRunCrash, "signal 11"},
      {"memory hog", Doing("for (;;) { char* p = malloc(1 << 20); memset(p, 1, 1 << 20); }"),
       MeasureErrorKind::kOutOfMemory, ""},
      {"dies when loaded", WhenLoaded("abort();"), MeasureErrorKind::kLoad, "signal 6"},
      {"socket when loaded", WhenLoaded("socket(AF_INET, SOCK_STREAM, 0);"), MeasureErrorKind::kLoad,
       "tried to open a socket"},
      {"reader of files",
       Doing("if (open(\"/etc/passwd\", O_RDONLY) < 0 && open(\"/proc/self/maps\", O_RDONLY) < 0) fputs(\"saw "
             "nothing\\n\","
             " stderr); abort();"),
       MeasureErrorKind::kRunCrash, "saw nothing"},
  };
}

// What is written to descriptor 3, where a runner without a second half would speak with its agent, or without end.
std::vector<HostileKernel> Scribbling() {
  constexpr char kFakeReply[] =
      "static const char fake[] = \"reply {\\\"error\\\":\\\"\\\",\\\"detail\\\":\\\"\\\",\\\"samples_ns\\\":[1,1,1],"
      "\\\"median_ns\\\":1,\\\"spread\\\":0,\\\"dropped_samples\\\":0,\\\"beaten\\\":false,\\\"max_abs_error\\\":0,"
      "\\\"canary_gflops\\\":1}\\n\"; ";
  return {
      {"forger of a reply", Doing(StrCat(kFakeReply, "write(3, fake, sizeof fake - 1); _exit(0);")),
       MeasureErrorKind::kRunCrash, "it wrote into the channel of its runner"},
      {"scribbler", Doing("char junk[4096]; memset(junk, 'x', sizeof junk); for (;;) write(3, junk, sizeof junk);"),
       MeasureErrorKind::kRunCrash, "it wrote into the channel of its runner"},
      {"floods its stderr",
       Doing("char junk[4096]; memset(junk, 'x', sizeof junk); for (;;) write(2, junk, sizeof junk);"),
       MeasureErrorKind::kRunTimeout, "did not end within"},
      {"answers beforehand", Doing("long answer[3] = {0, 4, -1}; write(3, answer, 20);"), MeasureErrorKind::kRunCrash,
       "it wrote into the channel of its runner"},
      {"eats commands", Doing("char c[24]; for (;;) if (read(0, c, sizeof c) < 0) break;"),
       MeasureErrorKind::kRunTimeout, "did not end within"},
  };
}

// The messages of rpc_agent/runner/channel.h.
constexpr char kAnswerInItsName[] = R"(
  static int calls;
  for (int i = 0; i < N; ++i) y[i] = 2 * x[i] + w[i % 10];
  if (++calls < 2) return;
  struct { uint64_t nonce; int op, count; int64_t amount; } command = {0};
  struct { uint64_t nonce; int op; unsigned bytes; int64_t samples[128]; } answer;
  uint64_t* stack = __builtin_frame_address(0);
  while ((int)stack[1] != 6 || (int)(stack[1] >> 32) != 1 || stack[2] != 1) ++stack;
  memcpy(&command, stack, 24);
  do {
    answer.nonce = command.nonce;
    answer.op = command.op;
    answer.bytes = command.op == 6 ? 16 * command.count : 4;
    for (int i = 0; i < 128; ++i) answer.samples[i] = command.op != 6 ? -1 : i % 2 == 0 ? command.amount : 0;
    write(3, &answer, 16 + answer.bytes);
  } while (read(0, &command, 24) == 24);
)";

}  // namespace

TestKernel ForgerOfTimes() { return Doing(kAnswerInItsName); }

std::vector<HostileKernel> HostileKernels(int deadline_ms) {
  std::vector<HostileKernel> kernels = Forbidden();
  for (const auto& more : {Dying(), Scribbling()}) kernels.insert(kernels.end(), more.begin(), more.end());
  const std::string late = StrCat("did not end within ", deadline_ms, " ms");
  for (const auto& [name, body] :
       {std::pair("endless loop", "for (volatile int i = 0;; ++i) {}"), std::pair("sleeper", "sleep(100000);"),
        std::pair("chatterbox", "for (;;) fputs(\"and another thing\\n\", stderr);")}) {
    kernels.push_back({name, Doing(body), MeasureErrorKind::kRunTimeout, late});
  }
  return kernels;
}

}  // namespace tilth
