#include "farm/embedded.h"

#include <signal.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "absl/strings/numbers.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/logging.h"
#include "base/subprocess.h"
#include "farm/scratch_directory.h"

namespace tilth {
namespace {

constexpr int64_t kTrackerStartMs = 15'000;
constexpr std::chrono::milliseconds kPoll{20};
// A child that dies at once, again and again, is started at most this often.
constexpr int64_t kMinRestartIntervalMs = 200;

// One child that is started again whenever it has died.
class Supervised {
 public:
  Supervised(std::string name, SubprocessOptions options) : name_(std::move(name)), options_(std::move(options)) {}

  Status Start() {
    started_ns_ = SystemClock().NowNs();
    TILTH_ASSIGN_OR_RETURN(child_, Subprocess::Start(options_), "starting the embedded ", name_);
    return absl::OkStatus();
  }

  // Whether it had to be started again.
  bool Check() {
    const StatusOr<ExitStatus> exit = child_ == nullptr ? StatusOr<ExitStatus>(ExitStatus{}) : child_->Wait(0);
    if (!exit.ok() || SystemClock().NowNs() - started_ns_ < kMinRestartIntervalMs * 1'000'000) return false;
    LogWarning("the embedded ", name_, " ended (", exit->Describe(), "); starting it again");
    if (const Status started = Start(); !started.ok()) LogError(started.ToString());
    return true;
  }

  // How it ended, if it has.
  std::optional<ExitStatus> Ended() {
    const StatusOr<ExitStatus> exit = child_->Wait(0);
    return exit.ok() ? std::optional(*exit) : std::nullopt;
  }

  int pid() const { return child_ == nullptr ? 0 : child_->pid(); }
  SubprocessOptions& options() { return options_; }

 private:
  std::string name_;
  SubprocessOptions options_;
  std::unique_ptr<Subprocess> child_;
  int64_t started_ns_ = 0;
};

}  // namespace

class EmbeddedFarm::Impl {
 public:
  Status Start(const EmbeddedFarmOptions& options) {
    device_class_ = options.device_class;
    TILTH_RETURN_IF_ERROR(PrepareDirectories(options));
    TILTH_RETURN_IF_ERROR(StartTracker());
    TILTH_RETURN_IF_ERROR(StartAgent(options));
    supervisor_ = std::thread([this] { Supervise(); });
    return absl::OkStatus();
  }

  ~Impl() {
    {
      std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    if (supervisor_.joinable()) supervisor_.join();
    agent_.reset();
    tracker_.reset();
  }

  const std::string& address() const { return address_; }
  const std::string& device_class() const { return device_class_; }
  int restarts() const {
    std::lock_guard lock(mutex_);
    return restarts_;
  }
  int tracker_pid() const {
    std::lock_guard lock(mutex_);
    return tracker_->pid();
  }
  int agent_pid() const {
    std::lock_guard lock(mutex_);
    return agent_->pid();
  }

 private:
  Status PrepareDirectories(const EmbeddedFarmOptions& options) {
    state_directory_ = options.state_directory;
    if (state_directory_.empty()) {
      TILTH_ASSIGN_OR_RETURN(ScratchDirectory made, ScratchDirectory::Create("tilth-farm"));
      temporary_.emplace(std::move(made));
      state_directory_ = temporary_->path();
    }
    TILTH_RETURN_IF_ERROR(MakeDirectories(state_directory_));
    programs_ = options.program_directory;
    if (programs_.empty()) {
      TILTH_ASSIGN_OR_RETURN(programs_, ProgramDirectory());
    }
    for (const char* program : {"tilth", "tilth-agent", "tilth-runner"}) {
      if (!FileExists(StrCat(programs_, "/", program))) {
        return absl::NotFoundError(StrCat("the program ", program, " is not in ", programs_,
                                          "; install it there, or measure on a farm (--farm HOST:PORT)"));
      }
    }
    return absl::OkStatus();
  }

  Status StartTracker() {
    const std::string port_file = StrCat(state_directory_, "/port");
    TILTH_RETURN_IF_ERROR(RemoveFile(port_file));
    std::vector<std::string> command = {StrCat(programs_, "/tilth"),          "farm",        "serve",  "--state",
                                        StrCat(state_directory_, "/tracker"), "--port-file", port_file};
    // There is no other device.
    command.emplace_back("--no-quarantine");
    // A power cut ends the session, too, which is all that the queue is for.
    command.emplace_back("--no-sync");
    std::vector<std::string> argv = command;
    argv.insert(argv.end(), {"--listen", "127.0.0.1:0"});
    tracker_.emplace("tracker", SubprocessOptions{.argv = argv, .stdout_to = ChildStream::kDiscard});
    TILTH_RETURN_IF_ERROR(tracker_->Start());
    const int64_t deadline_ns = SystemClock().NowNs() + kTrackerStartMs * 1'000'000;
    int port = 0;
    while (port == 0) {
      const StatusOr<std::string> text = ReadFile(port_file);
      if (text.ok() && absl::SimpleAtoi(*text, &port) && port > 0) break;
      if (const auto ended = tracker_->Ended()) {
        return absl::UnavailableError(StrCat("the embedded tracker ", ended->Describe(), " before it listened"));
      }
      if (SystemClock().NowNs() > deadline_ns) {
        return absl::UnavailableError("the embedded tracker did not begin to listen in time");
      }
      std::this_thread::sleep_for(kPoll);
    }
    address_ = StrCat("127.0.0.1:", port);
    tracker_->options().argv = command;
    tracker_->options().argv.insert(tracker_->options().argv.end(), {"--listen", address_});
    return absl::OkStatus();
  }

  Status StartAgent(const EmbeddedFarmOptions& options) {
    std::vector<std::string> argv = {
        StrCat(programs_, "/tilth-agent"), "--tracker", address_, "--device-class", device_class_, "--work-dir",
        StrCat(state_directory_, "/agent")};
    if (options.measure_core >= 0) argv.insert(argv.end(), {"--core", StrCat(options.measure_core)});
    argv.insert(argv.end(), options.agent_arguments.begin(), options.agent_arguments.end());
    agent_.emplace("agent", SubprocessOptions{.argv = argv, .stdout_to = ChildStream::kDiscard});
    return agent_->Start();
  }

  void Supervise() {
    std::unique_lock lock(mutex_);
    while (!wake_.wait_for(lock, kPoll, [this] { return stop_; })) {
      restarts_ += tracker_->Check() ? 1 : 0;
      restarts_ += agent_->Check() ? 1 : 0;
    }
  }

  std::string device_class_, state_directory_, programs_, address_;
  std::optional<ScratchDirectory> temporary_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  int restarts_ = 0;
  std::optional<Supervised> tracker_, agent_;
  std::thread supervisor_;
};

StatusOr<std::unique_ptr<EmbeddedFarm>> EmbeddedFarm::Start(const EmbeddedFarmOptions& options) {
  auto impl = std::make_unique<Impl>();
  TILTH_RETURN_IF_ERROR(impl->Start(options), "starting the embedded farm");
  return std::unique_ptr<EmbeddedFarm>(new EmbeddedFarm(std::move(impl)));
}

EmbeddedFarm::EmbeddedFarm(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
EmbeddedFarm::~EmbeddedFarm() = default;

const std::string& EmbeddedFarm::address() const { return impl_->address(); }
const std::string& EmbeddedFarm::device_class() const { return impl_->device_class(); }
int EmbeddedFarm::restarts() const { return impl_->restarts(); }
int EmbeddedFarm::tracker_pid() const { return impl_->tracker_pid(); }
int EmbeddedFarm::agent_pid() const { return impl_->agent_pid(); }

}  // namespace tilth
