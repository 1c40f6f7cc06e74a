// Random numbers: a small seeded generator for search, and a counter-based one for tensors, where element i must not
// depend on who computed element i-1.
#pragma once

#include <cstdint>

#include "base/hash.h"

namespace tilth {

// splitmix64 sequence; satisfies UniformRandomBitGenerator. Cheap to copy, deterministic on every platform.
class Rng {
 public:
  using result_type = uint64_t;
  explicit Rng(uint64_t seed) : state_(MixBits(seed)) {}
  static constexpr uint64_t min() { return 0; }
  static constexpr uint64_t max() { return ~uint64_t{0}; }
  uint64_t operator()() { return MixBits(state_ += 0x9e3779b97f4a7c15ull); }
  // Uniform in [0, bound); bound > 0.
  uint64_t Below(uint64_t bound) {
    return static_cast<uint64_t>((static_cast<unsigned __int128>((*this)()) * bound) >> 64);
  }
  // Uniform in [0, 1).
  double Uniform() { return static_cast<double>((*this)() >> 11) * 0x1.0p-53; }

 private:
  uint64_t state_;
};

// Element `counter` of the stream `seed`, uniform in [-1, 1). The same on every device.
constexpr float CounterUniform(uint64_t seed, uint64_t counter) {
  return static_cast<float>(static_cast<int64_t>(MixBits(seed ^ MixBits(counter)) >> 40) - (int64_t{1} << 23)) *
         0x1.0p-23f;
}

}  // namespace tilth
