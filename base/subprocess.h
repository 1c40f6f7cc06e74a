// Child processes that cannot be forgotten: each leads its own process group, dies with this process (however that one
// ends), and is killed and reaped at the latest when its handle goes.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/posix.h"
#include "base/status.h"

namespace tilth {

// Where a child's stdout or stderr goes.
enum class ChildStream { kInherit, kDiscard, kCapture };

// setrlimit values of the child; 0 leaves the inherited limit. Core dumps are always off.
struct ResourceLimits {
  int64_t file_size_bytes = 0;  // the largest file the child may write
};

struct SubprocessOptions {
  std::vector<std::string> argv;  // argv[0] is the program's path; PATH is searched if it has no slash
  std::vector<std::pair<std::string, std::string>> environment;  // added to, or replacing, what this process has
  std::string working_directory;                                 // empty: inherited
  bool feed_stdin = false;                                       // stdin is a pipe from us
  int stdin_from = -1;                                           // else this descriptor becomes stdin; -1: /dev/null
  ChildStream stdout_to = ChildStream::kInherit;
  ChildStream stderr_to = ChildStream::kInherit;
  bool result_pipe = false;  // descriptor 3 of the child is a pipe to us, apart from stdout and stderr
  ResourceLimits limits;
};

struct ExitStatus {
  bool signalled = false;
  int code = 0;                  // exit code, or signal number if `signalled`
  bool deadline_passed = false;  // we killed it because it ran too long
  int64_t max_rss_bytes = 0;

  bool Success() const { return !signalled && code == 0; }
  // "exited with status 3", "killed by signal 11 (Segmentation fault)", "did not end in time".
  std::string Describe() const;
};

// What the children of this process share with the rest of the system from now on, as far as it may be taken away from
// them. For programs whose children run foreign code and need nothing of it.
struct ChildIsolation {
  bool network = false;    // they have none
  bool ipc = false;        // nor shared memory, semaphores and queues of others
  bool processes = false;  // they see no processes but their own, and none of theirs outlives them
};

// Takes all of it away from children that are started from now on; what this process may not take (it needs
// CAP_SYS_ADMIN in its user namespace) stays as it is. Costs a child nothing but 10 µs for its process namespace.
ChildIsolation IsolateChildren();

// Children that are started from now on begin in this control group: a directory that exists. One of version 2 takes
// the place of an earlier one; one of version 1 is added to those of other controllers.
Status StartChildrenIn(const std::string& control_group);

// One running child. Thread-compatible: Kill may be called while another thread waits.
class Subprocess {
 public:
  // The child begins on the cores of the calling thread. The error names the program when it cannot be executed.
  static StatusOr<std::unique_ptr<Subprocess>> Start(const SubprocessOptions& options);

  Subprocess(const Subprocess&) = delete;
  Subprocess& operator=(const Subprocess&) = delete;
  ~Subprocess();  // kills the group and reaps

  pid_t pid() const { return pid_; }
  // Our ends of the pipes; invalid where none was asked for. Close stdin_fd to let the child see the end of its input.
  UniqueFd& stdin_fd() { return stdin_; }
  const UniqueFd& stdout_fd() const { return stdout_; }
  const UniqueFd& stderr_fd() const { return stderr_; }
  const UniqueFd& result_fd() const { return result_; }
  // Readable (poll) when the child has ended.
  const UniqueFd& exit_fd() const { return exit_; }

  // Sends `signal` to the whole process group; nothing if it has been reaped.
  void Kill(int signal);

  // Waits up to `timeout_ms` (negative: for ever); DEADLINE_EXCEEDED if the child still runs then. Once it has ended,
  // every further call gives the same answer.
  StatusOr<ExitStatus> Wait(int64_t timeout_ms);

 private:
  Subprocess() = default;

  pid_t pid_ = -1;
  bool reaped_ = false;
  ExitStatus exit_status_;
  UniqueFd stdin_, stdout_, stderr_, result_, exit_;
};

struct SubprocessOutput {
  ExitStatus exit;
  std::string stdout_text, stderr_text, result_bytes;  // each at most `max_output_bytes`; the rest is thrown away
};

// Runs a child to its end: feeds `input` to its stdin, collects what is captured, kills the group when `timeout_ms` has
// passed (exit.deadline_passed then). A child that fails is not an error here; one that cannot be started is.
StatusOr<SubprocessOutput> RunSubprocess(SubprocessOptions options, std::string_view input, int64_t timeout_ms,
                                         size_t max_output_bytes = size_t{16} << 20);

}  // namespace tilth
