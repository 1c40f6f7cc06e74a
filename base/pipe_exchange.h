// Feeding and draining the pipes of a child at the same time, so that neither side waits for the other for ever.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/posix.h"
#include "base/status.h"

namespace tilth {

// Not thread-safe. Ignores SIGPIPE for this process: a child that dies early must not take us with it.
class PipeExchange {
 public:
  // Of every text at most so many bytes are kept; the rest is read and thrown away.
  explicit PipeExchange(size_t max_output_bytes) : max_output_bytes_(max_output_bytes) {}

  // Writes `input`, which must stay until the exchange is over, and closes `fd` then.
  void Feed(UniqueFd fd, std::string_view input);
  // Appends to `text` what comes out of `fd`, which stays the caller's. Nothing for a negative one.
  void Collect(int fd, std::string* text);

  // Until `done_fd` is readable or `timeout_ms` have passed; whether it is readable.
  StatusOr<bool> RunUntil(int done_fd, int64_t timeout_ms);
  // Reads what is left, for a moment: those whom the child has started may hold its pipes open.
  Status Drain();

 private:
  struct Sink {
    int fd;
    std::string* text;
  };

  // False when the time is over.
  StatusOr<bool> Step(int done_fd, bool* done, int64_t deadline_ns);
  bool ReadSome(const Sink& sink) const;
  bool WriteSome();

  const size_t max_output_bytes_;
  std::vector<Sink> sinks_;
  UniqueFd input_fd_;
  std::string_view input_;
};

}  // namespace tilth
