#include "base/pipe_exchange.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/clock.h"

namespace tilth {
namespace {

constexpr int64_t kDrainMs = 100;

int64_t DeadlineNs(int64_t timeout_ms) { return SystemClock().NowNs() + timeout_ms * 1'000'000; }

}  // namespace

void PipeExchange::Feed(UniqueFd fd, std::string_view input) {
  signal(SIGPIPE, SIG_IGN);
  fcntl(fd.get(), F_SETFL, O_NONBLOCK);
  input_fd_ = std::move(fd);
  input_ = input;
  // Most inputs fit into the pipe.
  if (!WriteSome()) input_fd_.Reset();
}

void PipeExchange::Collect(int fd, std::string* text) {
  if (fd >= 0) sinks_.push_back({fd, text});
}

StatusOr<bool> PipeExchange::RunUntil(int done_fd, int64_t timeout_ms) {
  const int64_t deadline_ns = DeadlineNs(timeout_ms);
  for (bool done = false;;) {
    TILTH_ASSIGN_OR_RETURN(const bool in_time, Step(done_fd, &done, deadline_ns));
    if (done || !in_time) return done;
  }
}

Status PipeExchange::Drain() {
  const int64_t deadline_ns = DeadlineNs(kDrainMs);
  input_fd_.Reset();
  while (!sinks_.empty()) {
    TILTH_ASSIGN_OR_RETURN(const bool in_time, Step(-1, nullptr, deadline_ns));
    if (!in_time) break;
  }
  return absl::OkStatus();
}

StatusOr<bool> PipeExchange::Step(int done_fd, bool* done, int64_t deadline_ns) {
  const int64_t left_ms = (deadline_ns - SystemClock().NowNs() + 999'999) / 1'000'000;
  if (left_ms <= 0) return false;
  std::vector<pollfd> polled;
  polled.reserve(sinks_.size() + 2);
  for (const Sink& sink : sinks_) polled.push_back({sink.fd, POLLIN, 0});
  // poll looks past negative ones.
  polled.push_back({input_fd_.get(), POLLOUT, 0});
  polled.push_back({done_fd, POLLIN, 0});
  if (poll(polled.data(), polled.size(), static_cast<int>(std::min<int64_t>(left_ms, INT32_MAX))) < 0) {
    if (errno == EINTR) return true;
    return ErrnoStatus("poll");
  }
  if (polled.back().revents != 0) *done = true;
  polled.pop_back();
  if (polled.back().revents != 0 && !WriteSome()) input_fd_.Reset();
  polled.pop_back();
  for (const pollfd& entry : polled) {
    if (entry.revents == 0) continue;
    auto sink = std::find_if(sinks_.begin(), sinks_.end(), [&](const Sink& s) { return s.fd == entry.fd; });
    if (!ReadSome(*sink)) sinks_.erase(sink);
  }
  return true;
}

// Appends what can be read now; false at the end of the stream.
bool PipeExchange::ReadSome(const Sink& sink) const {
  char chunk[1 << 16];
  const ssize_t n = read(sink.fd, chunk, sizeof chunk);
  if (n < 0) return errno == EINTR || errno == EAGAIN;
  if (n == 0) return false;
  const size_t room = max_output_bytes_ - std::min(max_output_bytes_, sink.text->size());
  sink.text->append(chunk, std::min(static_cast<size_t>(n), room));
  return true;
}

// Writes a part of the input; false when there is nothing left or nobody reads.
bool PipeExchange::WriteSome() {
  const ssize_t n = write(input_fd_.get(), input_.data(), input_.size());
  if (n < 0) return errno == EINTR || errno == EAGAIN;
  input_.remove_prefix(static_cast<size_t>(n));
  return !input_.empty();
}

}  // namespace tilth
