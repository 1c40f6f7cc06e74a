// Time as a dependency: logic takes a Clock, tests give it a fake one.
#pragma once

#include <cstdint>

namespace tilth {

class Clock {
 public:
  virtual ~Clock() = default;
  // Monotonic; meaningful only as a difference within one process.
  virtual int64_t NowNs() const = 0;
  // Milliseconds since 1970 UTC; may jump.
  virtual int64_t WallMs() const = 0;
};

// The machine's clocks. Lives for ever; thread-safe.
const Clock& SystemClock();

// Moves only when told to. Not thread-safe.
class FakeClock : public Clock {
 public:
  int64_t NowNs() const override { return now_ns_; }
  int64_t WallMs() const override { return 1'700'000'000'000 + now_ns_ / 1'000'000; }
  void AdvanceNs(int64_t ns) { now_ns_ += ns; }
  void AdvanceMs(int64_t ms) { now_ns_ += ms * 1'000'000; }

 private:
  int64_t now_ns_ = 1'000'000'000;
};

}  // namespace tilth
