#include "base/clock.h"

#include <chrono>

namespace tilth {
namespace {

class RealClock : public Clock {
 public:
  int64_t NowNs() const override { return Count<std::chrono::nanoseconds>(std::chrono::steady_clock::now()); }
  int64_t WallMs() const override { return Count<std::chrono::milliseconds>(std::chrono::system_clock::now()); }

 private:
  template <typename Unit, typename Point>
  static int64_t Count(Point point) {
    return std::chrono::duration_cast<Unit>(point.time_since_epoch()).count();
  }
};

}  // namespace

const Clock& SystemClock() {
  static const RealClock* clock = new RealClock;
  return *clock;
}

}  // namespace tilth
