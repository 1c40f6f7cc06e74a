#include "rpc_agent/runner/candidate.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <optional>
#include <vector>

#include "rpc_agent/runner/buffer_table.h"
#include "rpc_agent/runner/channel.h"
#include "rpc_agent/runner/fault_note.h"
#include "rpc_agent/runner/fma_loop.h"
#include "rpc_agent/runner/kernel_instance.h"
#include "rpc_agent/runner/kernel_library.h"
#include "rpc_agent/runner/sandbox.h"

namespace tilth::runner {
namespace {

bool ReadCommand(Command* command) {
  for (;;) {
    // Less than a pipe holds at once, so never a part of it.
    const ssize_t n = read(kCommandFd, command, sizeof *command);
    if (n < 0 && errno == EINTR) continue;
    return n == sizeof *command;
  }
}

void WriteAnswer(const Command& command, const std::string& payload) {
  const AnswerHeader header{command.nonce, command.op, static_cast<uint32_t>(payload.size())};
  std::string bytes(reinterpret_cast<const char*>(&header), sizeof header);
  bytes += payload;
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t n = write(kAnswerFd, bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) _exit(3);
    done += static_cast<size_t>(n);
  }
}

template <typename T>
std::string Bytes(const T& value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof value);
}

int64_t InvoluntarySwitches() {
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  return usage.ru_nivcsw;
}

int64_t ThreadCpuNs() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

class Candidate {
 public:
  explicit Candidate(const KernelRequest& request) : request_(request) {}

  std::string Obey(const Command& command) {
    switch (command.op) {
      case Op::kLoad:
        return Load();
      case Op::kAllocate:
        return Bytes<int32_t>(Allocate(static_cast<size_t>(command.amount)));
      case Op::kPrepare:
        instance_->Run(TILTH_PHASE_PREPARE);
        return "";
      case Op::kRun:
        instance_->Run(TILTH_PHASE_RUN);
        return Bytes<int32_t>(Collect());
      case Op::kCollect:
        return Bytes<int32_t>(Collect());
      case Op::kSample:
        return Sample(command.count, command.amount);
      default:
        _exit(2);
    }
  }

 private:
  std::string Load() {
    std::string error;
    kernel_ = OpenKernel(request_.artifact_path, &error);
    if (kernel_ == nullptr) return Bytes(LoadAnswer{.loaded = 0}) + error.substr(0, kMaxAnswerBytes / 2);
    table_ = BufferTable(std::vector<TilthBuffer>(kernel_->buffers, kernel_->buffers + kernel_->num_buffers));
    return Bytes(LoadAnswer{.loaded = 1}) +
           std::string(reinterpret_cast<const char*>(kernel_->buffers), sizeof(TilthBuffer) * kernel_->num_buffers);
  }

  int32_t Allocate(size_t outputs_bytes) {
    instance_.emplace(*kernel_);
    if (!instance_->Allocate()) return 0;
    instance_->Fill(request_.seed, request_.value_bounds);
    if (outputs_bytes == 0) return 1;
    void* mapped = mmap(nullptr, outputs_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, kOutputsFd, 0);
    if (mapped == MAP_FAILED) return 0;
    outputs_ = static_cast<char*>(mapped);
    return 1;
  }

  int32_t Collect() {
    const std::vector<int> outputs = table_.Outputs();
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (outputs_ == nullptr) break;  // all outputs are empty
      std::memcpy(outputs_ + table_.OutputOffset(i), instance_->data(outputs[i]), table_.OutputDataBytes(i));
    }
    return instance_->FindOverrun();
  }

  std::string Sample(int count, int64_t runs) {
    std::vector<TimedSample> samples(static_cast<size_t>(count));
    for (TimedSample& sample : samples) {
      const int64_t switches = InvoluntarySwitches();
      const int64_t begin = NowNs(), cpu_begin = ThreadCpuNs();
      for (int64_t i = 0; i < runs; ++i) instance_->Run(TILTH_PHASE_RUN);
      const int64_t elapsed = NowNs() - begin, cpu = ThreadCpuNs() - cpu_begin;
      // Others' turns on the core do not count: a kernel longer than a time slice has no sample without one.
      sample.interrupted = InvoluntarySwitches() != switches;
      sample.elapsed_ns = sample.interrupted != 0 ? std::min(cpu, elapsed) : elapsed;
    }
    return std::string(reinterpret_cast<const char*>(samples.data()), sizeof(TimedSample) * samples.size());
  }

  const KernelRequest& request_;
  const TilthKernel* kernel_ = nullptr;
  BufferTable table_;
  std::optional<KernelInstance> instance_;
  char* outputs_ = nullptr;  // the file that the other half reads
};

}  // namespace

void HoldCandidate(const KernelRequest& request) {
  const size_t slash = request.artifact_path.rfind('/');
  KernelRequest own = request;
  LeaveNoteOnFault();
  const SandboxLayers layers = EnterSandbox(request.artifact_path.substr(0, slash));
  if (layers.root_directory) own.artifact_path = request.artifact_path.substr(slash);
  Candidate candidate(own);
  for (Command command; ReadCommand(&command);) WriteAnswer(command, candidate.Obey(command));
  _exit(0);
}

}  // namespace tilth::runner
