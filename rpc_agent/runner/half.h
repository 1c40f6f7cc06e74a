// 16-bit floating point to and from float, for test data and comparison: correct, not fast.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace tilth::runner {

inline float BFloat16ToFloat(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

// Rounds to nearest even. Finite arguments only.
inline uint16_t FloatToBFloat16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

inline float HalfToFloat(uint16_t bits) {
  const int exponent = (bits >> 10) & 31;
  const int mantissa = bits & 1023;
  const float sign = (bits & 0x8000) != 0 ? -1.0f : 1.0f;
  if (exponent == 31) return mantissa == 0 ? sign * INFINITY : NAN;
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(mantissa), -24);
  return sign * std::ldexp(static_cast<float>(mantissa + 1024), exponent - 25);
}

// Rounds to nearest even. Arguments in (-65504, 65504) only.
inline uint16_t FloatToHalf(float value) {
  const uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  const float magnitude = std::fabs(value);
  if (magnitude < std::ldexp(1.0f, -14)) {
    return static_cast<uint16_t>(sign | static_cast<uint16_t>(std::lrint(std::ldexp(magnitude, 24))));
  }
  int exponent = 0;
  const float fraction = std::frexp(magnitude, &exponent);     // [0.5, 1)
  const long mantissa = std::lrint(std::ldexp(fraction, 11));  // [1024, 2048]; 2048 carries into the exponent
  return static_cast<uint16_t>(sign | (((exponent + 13) << 10) + static_cast<int>(mantissa)));
}

}  // namespace tilth::runner
