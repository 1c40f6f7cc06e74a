// A tracker in a process of its own, `tilth farm serve`, as a load test needs it: its memory is its own.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/subprocess.h"
#include "farm/scratch_directory.h"

namespace tilth {

class TrackerProcess {
 public:
  // Returns when it listens, on any port of loopback, with an empty state in a temporary directory. `arguments` are
  // given to it as they are. kUnavailable: it ended or does not listen in time.
  static StatusOr<std::unique_ptr<TrackerProcess>> Start(const std::string& program,
                                                         const std::vector<std::string>& arguments);

  // "127.0.0.1:PORT".
  const std::string& address() const { return address_; }
  // The most memory that it has had at a time.
  int64_t PeakRssBytes() const;
  // Of all its threads so far.
  double CpuSeconds() const;

 private:
  explicit TrackerProcess(ScratchDirectory state) : state_(std::move(state)) {}

  ScratchDirectory state_;
  std::string address_;
  std::unique_ptr<Subprocess> process_;  // before its state in destruction
};

}  // namespace tilth
