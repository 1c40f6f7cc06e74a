#include "base/subprocess.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <functional>
#include <mutex>
#include <thread>

extern char** environ;

namespace tilth {
namespace {

constexpr int kResultFd = 3;

// PR_SET_PDEATHSIG follows the thread that forked, not the process. So one thread, which lives as long as the process,
// does all the forking, on the cores of the thread that asks: as that thread's own children would begin there.
class Spawner {
 public:
  static Spawner& Get() {
    static auto* spawner = new Spawner;
    return *spawner;
  }

  // Like fork(). The child finds a parent only outside of a process namespace of its own.
  pid_t Fork() const {
    const uint64_t processes = own_processes_ ? CLONE_NEWPID : 0;
    if (control_group_.valid()) {
      clone_args how{};
      how.flags = processes | CLONE_INTO_CGROUP;
      how.exit_signal = SIGCHLD;
      how.cgroup = static_cast<uint64_t>(control_group_.get());
      return static_cast<pid_t>(syscall(SYS_clone3, &how, sizeof how));
    }
    return own_processes_ ? static_cast<pid_t>(syscall(SYS_clone, processes | SIGCHLD, 0, 0, 0, 0)) : fork();
  }
  bool own_processes() const { return own_processes_; }

  ChildIsolation Isolate() {
    ChildIsolation isolation;
    Run([this, &isolation] {
      // Of this thread alone, and of what it starts.
      isolation.network = unshare(CLONE_NEWNET) == 0;
      isolation.ipc = unshare(CLONE_NEWIPC) == 0;
      own_processes_ = true;
      isolation.processes = own_processes_ = CanFork();
    });
    return isolation;
  }

  Status StartIn(const std::string& control_group) {
    Status status;
    Run([&] {
      if (access(StrCat(control_group, "/cgroup.controllers").c_str(), F_OK) == 0) {
        control_group_ = UniqueFd(open(control_group.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!control_group_.valid() || !CanFork()) {
          status = ErrnoStatus(StrCat("starting a process in ", control_group));
          control_group_.Reset();
        }
        return;
      }
      // Version 1 takes single threads; what they start is born beside them.
      const UniqueFd tasks(open(StrCat(control_group, "/tasks").c_str(), O_WRONLY | O_CLOEXEC));
      const std::string self = std::to_string(syscall(SYS_gettid));
      status = tasks.valid() ? WriteAll(tasks.get(), self) : ErrnoStatus(StrCat("opening ", control_group, "/tasks"));
    });
    return status;
  }

  void Run(const std::function<void()>& work) {
    cpu_set_t cores;
    const bool known = sched_getaffinity(0, sizeof cores, &cores) == 0;
    std::unique_lock lock(mutex_);
    free_.wait(lock, [this] { return work_ == nullptr; });
    work_ = &work;
    cores_ = known ? &cores : nullptr;
    wake_.notify_one();
    done_.wait(lock, [&] { return work_ != &work; });
  }

 private:
  // Emulators and old systems lack what is asked for.
  bool CanFork() const {
    const pid_t probe = Fork();
    if (probe == 0) _exit(0);
    return probe > 0 && waitpid(probe, nullptr, 0) == probe;
  }

  Spawner() {
    std::thread([this] {
      std::unique_lock lock(mutex_);
      for (;;) {
        wake_.wait(lock, [this] { return work_ != nullptr; });
        if (cores_ != nullptr) sched_setaffinity(0, sizeof *cores_, cores_);
        (*work_)();
        work_ = nullptr;
        done_.notify_all();
        free_.notify_one();
      }
    }).detach();
  }

  std::mutex mutex_;
  std::condition_variable wake_, done_, free_;
  const std::function<void()>* work_ = nullptr;
  const cpu_set_t* cores_ = nullptr;
  // Changed and read by work only.
  bool own_processes_ = false;
  UniqueFd control_group_;  // of version 2
};

// A pipe whose parent end is closed on exec; `child` is the end that the child gets.
struct Pipe {
  UniqueFd parent, child;

  Status Open(bool child_reads) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return ErrnoStatus("creating a pipe");
    parent = UniqueFd(ends[child_reads ? 1 : 0]);
    child = UniqueFd(ends[child_reads ? 0 : 1]);
    return absl::OkStatus();
  }
};

void SetLimit(int resource, int64_t value) {
  if (value <= 0) return;
  rlimit limit{static_cast<rlim_t>(value), static_cast<rlim_t>(value)};
  setrlimit(static_cast<__rlimit_resource>(resource), &limit);
}

// What the child needs between fork and exec, prepared before it: only async-signal-safe calls are allowed there.
struct ChildPlan {
  pid_t parent_pid;  // 0: not to be seen from the child's process namespace
  std::vector<char*> argv, envp;
  const char* working_directory;
  int fds[4];  // what becomes 0 … 3; -1: leave as it is (3: close)
  const ResourceLimits* limits;
  int error_fd;
};

[[noreturn]] void FailInChild(const ChildPlan& plan) {
  int error = errno;
  [[maybe_unused]] ssize_t ignored = write(plan.error_fd, &error, sizeof error);
  _exit(127);
}

[[noreturn]] void BecomeChild(ChildPlan& plan) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != plan.parent_pid) _exit(127);
  setpgid(0, 0);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  signal(SIGINT, SIG_IGN);  // Ctrl-C belongs to the parent, which ends its children in its own order
  // Move everything out of the way of 0 … 3 first, so that no dup2 overwrites a descriptor still needed.
  for (int& fd : plan.fds) {
    if (fd >= 0 && (fd = fcntl(fd, F_DUPFD_CLOEXEC, 10)) < 0) FailInChild(plan);
  }
  if (plan.error_fd <= kResultFd && (plan.error_fd = fcntl(plan.error_fd, F_DUPFD_CLOEXEC, 10)) < 0) _exit(127);
  for (int i = 0; i < 4; ++i) {
    if (plan.fds[i] >= 0 && dup2(plan.fds[i], i) < 0) FailInChild(plan);
  }
  SetLimit(RLIMIT_FSIZE, plan.limits->file_size_bytes);
  rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  if (plan.working_directory != nullptr && chdir(plan.working_directory) != 0) FailInChild(plan);
  // execvpe would hand a program for another machine to the shell.
  if (strchr(plan.argv[0], '/') != nullptr) {
    execve(plan.argv[0], plan.argv.data(), plan.envp.data());
  } else {
    execvpe(plan.argv[0], plan.argv.data(), plan.envp.data());
  }
  FailInChild(plan);
}

std::vector<std::string> BuildEnvironment(const SubprocessOptions& options) {
  std::vector<std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    std::string_view text = *entry;
    std::string_view name = text.substr(0, text.find('='));
    bool replaced = false;
    for (const auto& [key, value] : options.environment) replaced |= key == name;
    if (!replaced) variables.emplace_back(text);
  }
  for (const auto& [key, value] : options.environment) variables.push_back(StrCat(key, "=", value));
  return variables;
}

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& text : strings) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

ChildIsolation IsolateChildren() { return Spawner::Get().Isolate(); }

Status StartChildrenIn(const std::string& control_group) { return Spawner::Get().StartIn(control_group); }

std::string ExitStatus::Describe() const {
  if (deadline_passed) return "did not end in time";
  if (signalled) return StrCat("killed by signal ", code, " (", strsignal(code), ")");
  return StrCat("exited with status ", code);
}

StatusOr<std::unique_ptr<Subprocess>> Subprocess::Start(const SubprocessOptions& options) {
  if (options.argv.empty()) return absl::InvalidArgumentError("a subprocess needs a program");
  Pipe input, output, error_output, result, exec_error;
  UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null.valid()) return ErrnoStatus("opening /dev/null");
  if (options.feed_stdin) TILTH_RETURN_IF_ERROR(input.Open(true));
  if (options.stdout_to == ChildStream::kCapture) TILTH_RETURN_IF_ERROR(output.Open(false));
  if (options.stderr_to == ChildStream::kCapture) TILTH_RETURN_IF_ERROR(error_output.Open(false));
  if (options.result_pipe) TILTH_RETURN_IF_ERROR(result.Open(false));
  TILTH_RETURN_IF_ERROR(exec_error.Open(false));

  std::vector<std::string> arguments = options.argv, variables = BuildEnvironment(options);
  auto stream = [&](ChildStream to, const Pipe& pipe) {
    return to == ChildStream::kInherit ? -1 : to == ChildStream::kDiscard ? null.get() : pipe.child.get();
  };
  ChildPlan plan{
      .parent_pid = getpid(),
      .argv = Pointers(arguments),
      .envp = Pointers(variables),
      .working_directory = options.working_directory.empty() ? nullptr : options.working_directory.c_str(),
      .fds = {options.feed_stdin        ? input.child.get()
              : options.stdin_from >= 0 ? options.stdin_from
                                        : null.get(),
              stream(options.stdout_to, output), stream(options.stderr_to, error_output), result.child.get()},
      .limits = &options.limits,
      .error_fd = exec_error.child.get()};
  pid_t pid = -1;
  int fork_errno = 0;
  Spawner::Get().Run([&] {
    if (Spawner::Get().own_processes()) plan.parent_pid = 0;
    pid = Spawner::Get().Fork();
    if (pid == 0) BecomeChild(plan);
    fork_errno = errno;
  });
  if (pid < 0) {
    errno = fork_errno;
    return ErrnoStatus(StrCat("starting ", options.argv[0]));
  }

  std::unique_ptr<Subprocess> child(new Subprocess);
  child->pid_ = pid;
  exec_error.child.Reset();
  int failure = 0;
  ssize_t n;
  while ((n = read(exec_error.parent.get(), &failure, sizeof failure)) < 0 && errno == EINTR) {
  }
  if (n == sizeof failure) {
    errno = failure;
    return ErrnoStatus(StrCat("starting ", options.argv[0]));
  }
  child->stdin_ = std::move(input.parent);
  child->stdout_ = std::move(output.parent);
  child->stderr_ = std::move(error_output.parent);
  child->result_ = std::move(result.parent);
  child->exit_ = UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!child->exit_.valid()) return ErrnoStatus("watching a child (pidfd_open)");
  return child;
}

Subprocess::~Subprocess() {
  Kill(SIGKILL);
  Wait(-1).IgnoreError();
}

void Subprocess::Kill(int signal) {
  if (reaped_ || pid_ <= 0) return;
  // The child makes itself a group leader; before that (or if it could not) only it can be meant.
  if (kill(-pid_, signal) != 0) kill(pid_, signal);
}

StatusOr<ExitStatus> Subprocess::Wait(int64_t timeout_ms) {
  if (reaped_) return exit_status_;
  if (timeout_ms >= 0 && exit_.valid()) {
    pollfd waiting{exit_.get(), POLLIN, 0};
    int ready = poll(&waiting, 1, static_cast<int>(std::min<int64_t>(timeout_ms, INT32_MAX)));
    if (ready == 0 || (ready < 0 && errno == EINTR)) {
      return absl::DeadlineExceededError(StrCat("process ", pid_, " still runs"));
    }
  }
  int status = 0;
  rusage usage{};
  while (wait4(pid_, &status, 0, &usage) < 0) {
    if (errno != EINTR) return ErrnoStatus(StrCat("waiting for process ", pid_));
  }
  // What the child itself started may outlive it; the group still carries its id.
  kill(-pid_, SIGKILL);
  reaped_ = true;
  exit_status_.signalled = WIFSIGNALED(status);
  exit_status_.code = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
  exit_status_.max_rss_bytes = static_cast<int64_t>(usage.ru_maxrss) * 1024;
  return exit_status_;
}

}  // namespace tilth
