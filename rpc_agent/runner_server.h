// Runners without starting a program for each: one tilth-runner stays and forks them (runner/serve.cc).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/posix.h"
#include "base/status.h"
#include "base/subprocess.h"

namespace tilth {

struct RunnerServerOptions {
  std::vector<std::string> program;  // tilth-runner and what stands before it
  std::string working_directory;
  int core = -1;                   // where the server waits, and its runners begin; -1: anywhere
  int64_t memory_limit_bytes = 0;  // address space of a runner; 0: no limit
};

// One runner at a time: not thread-safe. The server is started when it is first needed, and again when it has died.
class RunnerServer {
 public:
  explicit RunnerServer(RunnerServerOptions options) : options_(std::move(options)) {}

  // Runs a runner in `mode` to its end, as RunSubprocess would: its stderr and result pipe are collected, up to
  // `max_output_bytes` each; at the deadline it is killed. Somebody who kills the server has killed the runner.
  StatusOr<SubprocessOutput> Run(const std::string& mode, const std::string& request, int64_t deadline_ms,
                                 size_t max_output_bytes);

 private:
  struct Pipes;

  Status Start();
  // Hands the runner's ends of the pipes over; kUnavailable if there is no server any more.
  Status Launch(const std::string& mode, int64_t deadline_ms, Pipes* pipes);
  StatusOr<ExitStatus> ReadEnd();

  const RunnerServerOptions options_;
  std::unique_ptr<Subprocess> server_;
  UniqueFd control_;
};

}  // namespace tilth
