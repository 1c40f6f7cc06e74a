// RunSubprocess: the event loop that feeds a child, collects its output and ends it at the deadline.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "base/clock.h"
#include "base/subprocess.h"

namespace tilth {
namespace {

// After the child has ended, its grandchildren may still hold the pipes open; what is not read by then is lost.
constexpr int64_t kDrainAfterExitMs = 100;

struct Sink {
  int fd;
  std::string* text;
};

// Appends what can be read now, up to `limit` bytes in all; false at the end of the stream.
bool ReadSome(const Sink& sink, size_t limit) {
  char chunk[1 << 16];
  ssize_t n = read(sink.fd, chunk, sizeof chunk);
  if (n < 0) return errno == EINTR || errno == EAGAIN;
  if (n == 0) return false;
  sink.text->append(chunk, std::min(static_cast<size_t>(n), limit - std::min(limit, sink.text->size())));
  return true;
}

// Writes a part of `input` and shortens it; false when there is nothing left or nobody reads.
bool WriteSome(int fd, std::string_view& input) {
  ssize_t n = write(fd, input.data(), input.size());
  if (n < 0) return errno == EINTR || errno == EAGAIN;
  input.remove_prefix(static_cast<size_t>(n));
  return !input.empty();
}

}  // namespace

StatusOr<SubprocessOutput> RunSubprocess(SubprocessOptions options, std::string_view input, int64_t timeout_ms,
                                         size_t max_output_bytes) {
  options.feed_stdin = !input.empty();
  TILTH_ASSIGN_OR_RETURN(std::unique_ptr<Subprocess> child, Subprocess::Start(options));
  SubprocessOutput output;
  std::vector<Sink> sinks;
  for (Sink sink :
       {Sink{child->stdout_fd().get(), &output.stdout_text}, Sink{child->stderr_fd().get(), &output.stderr_text},
        Sink{child->result_fd().get(), &output.result_bytes}}) {
    if (sink.fd >= 0) sinks.push_back(sink);
  }
  // A child that dies early must not take us with it.
  signal(SIGPIPE, SIG_IGN);
  if (child->stdin_fd().valid()) fcntl(child->stdin_fd().get(), F_SETFL, O_NONBLOCK);

  const Clock& clock = SystemClock();
  int64_t deadline_ns = clock.NowNs() + timeout_ms * 1'000'000;
  bool killed = false, ended = false;
  while (!ended || !sinks.empty()) {
    const int64_t left_ms = (deadline_ns - clock.NowNs() + 999'999) / 1'000'000;
    if (left_ms <= 0) {
      if (ended || killed) break;
      killed = true;
      child->Kill(SIGKILL);
      deadline_ns = clock.NowNs() + kDrainAfterExitMs * 1'000'000;
      continue;
    }
    std::vector<pollfd> polled;
    for (const Sink& sink : sinks) polled.push_back({sink.fd, POLLIN, 0});
    if (!ended) polled.push_back({child->exit_fd().get(), POLLIN, 0});
    if (child->stdin_fd().valid()) polled.push_back({child->stdin_fd().get(), POLLOUT, 0});
    if (poll(polled.data(), polled.size(), static_cast<int>(std::min<int64_t>(left_ms, INT32_MAX))) < 0 &&
        errno != EINTR) {
      return ErrnoStatus("poll");
    }
    for (const pollfd& entry : polled) {
      if (entry.revents == 0) continue;
      if (entry.fd == child->stdin_fd().get()) {
        if (!WriteSome(entry.fd, input)) child->stdin_fd().Reset();
      } else if (entry.fd == child->exit_fd().get()) {
        ended = true;
        deadline_ns = std::min(deadline_ns, clock.NowNs() + kDrainAfterExitMs * 1'000'000);
      } else {
        auto sink = std::find_if(sinks.begin(), sinks.end(), [&](const Sink& s) { return s.fd == entry.fd; });
        if (!ReadSome(*sink, max_output_bytes)) sinks.erase(sink);
      }
    }
  }
  TILTH_ASSIGN_OR_RETURN(output.exit, child->Wait(-1));
  output.exit.deadline_passed = killed;
  return output;
}

}  // namespace tilth
