// Small wrappers of POSIX calls that base and the process-handling modules share.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"

namespace tilth {

// Owns a file descriptor. Move-only.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~UniqueFd() { Reset(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void Reset();

 private:
  int fd_ = -1;
};

// The current errno as a Status, "context: No such file or directory", with absl's code for it (NOT_FOUND,
// PERMISSION_DENIED, RESOURCE_EXHAUSTED for a full disk or too many descriptors, …).
Status ErrnoStatus(std::string_view context);

// Holds `path`, made if it is not there, for this process until the descriptor goes; kFailedPrecondition if another
// process holds it.
StatusOr<UniqueFd> LockFile(const std::string& path);

// Writes every byte to a blocking descriptor.
Status WriteAll(int fd, std::string_view bytes);

}  // namespace tilth
