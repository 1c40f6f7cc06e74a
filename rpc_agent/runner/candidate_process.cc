#include "rpc_agent/runner/candidate_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "rpc_agent/runner/candidate.h"
#include "rpc_agent/runner/fault_note.h"
#include "rpc_agent/runner/report.h"

namespace tilth::runner {
namespace {

// The processor time of a command beyond what its samples claim: asking, answering, looking at the clock.
constexpr int64_t kUnclaimedNs = 200'000, kUnclaimedPerSampleNs = 5'000;
constexpr int64_t kLongestSampleNs = int64_t{1} << 50;
constexpr double kUnclaimedShare = 0.1;
constexpr double kMemoryLimitReached = 0.9;

// Descriptors of the half that holds the candidate, and no others.
void TakeDescriptors(int commands, int answers, int outputs) {
  // Out of the way first, so that no dup2 overwrites one that is still needed.
  const int from[] = {fcntl(commands, F_DUPFD, kMaxDescriptors), fcntl(answers, F_DUPFD, kMaxDescriptors),
                      fcntl(outputs, F_DUPFD, kMaxDescriptors)};
  const int to[] = {kCommandFd, kAnswerFd, kOutputsFd};
  for (int i = 0; i < 3; ++i) {
    if (from[i] < 0 || dup2(from[i], to[i]) < 0) _exit(2);
  }
  if (syscall(SYS_close_range, kOutputsFd + 1, ~0u, 0) == 0) return;
  constexpr int kPlausibleDescriptors = 256;
  for (int fd = kOutputsFd + 1; fd < kPlausibleDescriptors; ++fd) close(fd);
}

bool NearMemoryLimit(int64_t max_rss_bytes) {
  rlimit limit{};
  return getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
         static_cast<double>(max_rss_bytes) > kMemoryLimitReached * static_cast<double>(limit.rlim_cur);
}

}  // namespace

void Finish(const KernelReply& reply) {
  ReportReply(FormatReply(reply));
  _exit(0);
}

CandidateProcess::CandidateProcess(const KernelRequest& request) : request_(request) { Start(); }

CandidateProcess::~CandidateProcess() {
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void CandidateProcess::Start() {
  int down[2], up[2];
  outputs_file_ = static_cast<int>(syscall(SYS_memfd_create, "outputs", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (outputs_file_ < 0 || pipe2(down, O_CLOEXEC) != 0 || pipe2(up, O_CLOEXEC) != 0 || (pid_ = fork()) < 0) {
    EndWith("infrastructure", std::string("starting a process for the candidate: ") + std::strerror(errno));
  }
  if (pid_ == 0) {
    TakeDescriptors(down[0], up[1], outputs_file_);
    HoldCandidate(request_);
  }
  close(down[0]);
  close(up[1]);
  commands_ = down[1];
  answers_ = up[0];
  // A candidate that is dead is noticed by its silence.
  signal(SIGPIPE, SIG_IGN);
}

std::string CandidateProcess::Ask(Op op, int count, int64_t amount) {
  Command command{.op = op, .count = count, .amount = amount};
  if (getrandom(&command.nonce, sizeof command.nonce, 0) != sizeof command.nonce) {
    EndWith("infrastructure", "the system has no random numbers");
  }
  [[maybe_unused]] const ssize_t written = write(commands_, &command, sizeof command);
  AnswerHeader header;
  ReadExactly(&header, sizeof header);
  if (header.op == Op::kFault && header.size_bytes == sizeof note_) {
    ReadExactly(&note_, sizeof note_);
    EndDead();
  }
  if (header.nonce != command.nonce || header.op != op || header.size_bytes > kMaxAnswerBytes) {
    EndWith("run crash", "it wrote into the channel of its runner");
  }
  std::string payload(header.size_bytes, '\0');
  ReadExactly(payload.data(), payload.size());
  return payload;
}

void CandidateProcess::ReadExactly(void* data, size_t bytes) {
  char* at = static_cast<char*>(data);
  while (bytes > 0) {
    const ssize_t n = read(answers_, at, bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) EndDead();
    at += n;
    bytes -= static_cast<size_t>(n);
  }
}

const BufferTable& CandidateProcess::Load() {
  const std::string answer = Ask(Op::kLoad);
  LoadAnswer head;
  if (answer.size() < sizeof head) EndWith("load", "it wrote into the channel of its runner");
  std::memcpy(&head, answer.data(), sizeof head);
  const std::string rest = answer.substr(sizeof head);
  if (head.loaded == 0) EndWith("load", rest);
  std::vector<TilthBuffer> buffers(rest.size() / sizeof(TilthBuffer));
  std::memcpy(buffers.data(), rest.data(), buffers.size() * sizeof(TilthBuffer));
  if (const std::string error = CheckBuffers(buffers.data(), buffers.size()); !error.empty()) {
    EndWith("load", "the artifact cannot be used: " + error);
  }
  table_ = BufferTable(std::move(buffers));
  return table_;
}

void CandidateProcess::Allocate() {
  const size_t bytes = table_.OutputBytes();
  if (bytes > 0) {
    // Sealed, for a file that shrinks under a mapping kills who reads it.
    if (ftruncate(outputs_file_, static_cast<off_t>(bytes)) == 0) {
      fcntl(outputs_file_, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
      outputs_ = mmap(nullptr, bytes, PROT_READ, MAP_SHARED | MAP_POPULATE, outputs_file_, 0);
    }
    if (outputs_ == nullptr || outputs_ == MAP_FAILED) EndWith("out of memory", "no memory for its outputs");
  }
  const std::string answer = Ask(Op::kAllocate, 0, static_cast<int64_t>(bytes));
  if (answer != std::string("\1\0\0\0", 4)) {
    EndWith("out of memory", "no memory for its buffers within the device's limit");
  }
}

void CandidateProcess::Prepare() {
  loaded_ = true;
  Ask(Op::kPrepare);
}

void CandidateProcess::Run() { CheckOverrun(Ask(Op::kRun)); }

void CandidateProcess::Collect() { CheckOverrun(Ask(Op::kCollect)); }

void CandidateProcess::CheckOverrun(const std::string& answer) {
  int32_t buffer = -1;
  std::memcpy(&buffer, answer.data(), std::min(answer.size(), sizeof buffer));
  if (buffer >= 0) EndWith("wrong answer", "it wrote past the end of buffer " + std::to_string(buffer));
}

std::vector<TimedSample> CandidateProcess::Sample(int count, int64_t runs) {
  // What an emulator translates, or a fault that the system handles late, costs time once.
  constexpr int kAttempts = 3;
  std::vector<TimedSample> samples(static_cast<size_t>(count));
  int64_t cpu_ns = 0, claimed_ns = 0;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const int64_t cpu_begin = CpuNs();
    const std::string answer = Ask(Op::kSample, count, runs);
    cpu_ns = CpuNs() - cpu_begin;
    if (answer.size() != sizeof(TimedSample) * samples.size()) {
      EndWith("run crash", "it wrote into the channel of its runner");
    }
    std::memcpy(samples.data(), answer.data(), answer.size());
    claimed_ns = 0;
    for (const TimedSample& sample : samples) claimed_ns += std::clamp<int64_t>(sample.elapsed_ns, 0, kLongestSampleNs);
    const double unclaimed_ns = static_cast<double>(cpu_ns) - static_cast<double>(claimed_ns);
    if (unclaimed_ns <= static_cast<double>(kUnclaimedNs + count * kUnclaimedPerSampleNs) +
                            kUnclaimedShare * static_cast<double>(claimed_ns)) {
      return samples;
    }
  }
  EndWith("implausible time", "its samples claim " + std::to_string(claimed_ns) + " ns, the processor worked " +
                                  std::to_string(cpu_ns) + " ns for them");
}

int64_t CandidateProcess::CpuNs() const {
  clockid_t clock;
  timespec now{};
  if (clock_getcpuclockid(pid_, &clock) != 0 || clock_gettime(clock, &now) != 0) return 0;
  return static_cast<int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

void CandidateProcess::EndDead() {
  // Silent, it is as good as dead; one that only closed its channel is given a moment to be it. One that needs longer,
  // for it has much memory to give back, keeps the status that it dies with.
  constexpr int kPatience = 200;
  constexpr timespec kMoment{0, 1'000'000};
  int status = 0;
  rusage usage{};
  pid_t gone = 0;
  for (int i = 0; i < kPatience && gone == 0; ++i) {
    gone = wait4(pid_, &status, WNOHANG, &usage);
    if (gone == 0) nanosleep(&kMoment, nullptr);
  }
  const bool alive = gone != pid_;
  if (alive) {
    kill(pid_, SIGKILL);
    wait4(pid_, &status, 0, &usage);
  }
  pid_ = -1;
  const int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  if (alive && signal == SIGKILL) EndWith("run crash", "it closed the channel of its runner");
  // Not by us: the system's memory is short, or somebody meant the process and not the kernel.
  if (signal == SIGKILL) EndWith(kKilled, "");
  std::string detail = signal == 0
                           ? "exited with status " + std::to_string(WEXITSTATUS(status)) + " before it had an answer"
                           : "killed by signal " + std::to_string(signal) + " (" + strsignal(signal) + ")";
  if (signal != 0 && note_.signal == signal) detail = Describe(note_) + ": " + detail;
  if (signal == SIGXCPU) EndWith("run timeout", detail);
  const bool full = NearMemoryLimit(static_cast<int64_t>(usage.ru_maxrss) * 1024);
  EndWith(full ? "out of memory" : loaded_ ? "run crash" : "load", detail);
}

void CandidateProcess::EndWith(const std::string& error, const std::string& detail) {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  KernelReply reply;
  reply.error = error;
  reply.detail = detail;
  Finish(reply);
}

}  // namespace tilth::runner
