// A candidate at arm's length. A runner is two processes: this half decides what is run, holds the clock, compares the
// outputs and speaks with the agent; the other (candidate.h) holds the foreign code and nothing that is worth having.
//
// Whatever the candidate does that a kernel should not do (dying, answering what was not asked, times that do not add
// up to the processor time that it used) ends the runner: the reply that says so is reported and the process exits. So
// these methods return only good answers.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "rpc_agent/runner/buffer_table.h"
#include "rpc_agent/runner/channel.h"
#include "rpc_agent/runner/request.h"

namespace tilth::runner {

class CandidateProcess {
 public:
  // `request` must outlive the process.
  explicit CandidateProcess(const KernelRequest& request);
  CandidateProcess(const CandidateProcess&) = delete;
  CandidateProcess& operator=(const CandidateProcess&) = delete;
  ~CandidateProcess();  // kills it

  // Opens the artifact.
  const BufferTable& Load();
  // Fills its buffers with the test data of the request.
  void Allocate();
  void Prepare();
  // Runs once; then outputs() are what it computed.
  void Run();
  // Outputs as the last run or sample left them.
  void Collect();
  const void* outputs() const { return outputs_; }

  // `count` samples (up to kMaxSamplesPerCommand) of `runs` runs each.
  std::vector<TimedSample> Sample(int count, int64_t runs);

 private:
  void Start();
  std::string Ask(Op op, int count = 0, int64_t amount = 0);
  // Reads exactly so much, or ends with the reason why there is no more.
  void ReadExactly(void* data, size_t bytes);
  void CheckOverrun(const std::string& answer);
  int64_t CpuNs() const;
  [[noreturn]] void EndDead();
  [[noreturn]] void EndWith(const std::string& error, const std::string& detail);

  const KernelRequest& request_;
  pid_t pid_ = -1;
  int commands_ = -1, answers_ = -1, outputs_file_ = -1;
  bool loaded_ = false;
  BufferTable table_;
  void* outputs_ = nullptr;
  FaultNote note_;
};

// Reports the reply and ends the runner.
[[noreturn]] void Finish(const KernelReply& reply);

}  // namespace tilth::runner
