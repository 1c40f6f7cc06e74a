#include "rpc_agent/runner/compare.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <limits>

#include "compiler/runtime/kernel_abi.h"
#include "rpc_agent/runner/guarded_buffer.h"
#include "rpc_agent/runner/half.h"

namespace tilth::runner {
namespace {

constexpr int64_t kBlock = 512;

bool Agrees(double actual, double expected, const OutputTolerance& tolerance) {
  if (std::isnan(actual) || std::isnan(expected)) return std::isnan(actual) && std::isnan(expected);
  if (std::isinf(actual) || std::isinf(expected)) return actual == expected;
  return std::fabs(actual - expected) <= tolerance.atol + tolerance.rtol * std::fabs(expected);
}

// Whether all of these elements are finite and agree, as nearly all are; without a branch in the loop, so that it is
// computed several at a time. *max_abs_error grows only if so.
template <typename T, typename Read>
[[gnu::always_inline]] inline bool CheckBlock(const T* actual, const T* expected, int64_t count,
                                              const OutputTolerance& tolerance, const Read& read,
                                              double* max_abs_error) {
  const double rtol = tolerance.rtol, atol = tolerance.atol;
  int64_t disagreeing = 0;
  // Of numbers that are not negative, the largest has the largest bits; compilers may reorder only whole numbers.
  int64_t largest = 0;
  for (int64_t i = 0; i < count; ++i) {
    const double e = read(expected[i]), error = std::fabs(read(actual[i]) - e);
    // Each comparison is false with NaN.
    const bool agrees = (error <= atol + rtol * std::fabs(e)) & (error <= std::numeric_limits<double>::max());
    disagreeing |= agrees ? 0 : 1;
    largest = std::max(largest, std::bit_cast<int64_t>(error));
  }
  if (disagreeing == 0) *max_abs_error = std::max(*max_abs_error, std::bit_cast<double>(largest));
  return disagreeing == 0;
}

#if defined(__x86_64__)
template <typename T, typename Read>
[[gnu::target("avx2")]] bool CheckBlockAvx2(const T* actual, const T* expected, int64_t count,
                                            const OutputTolerance& tolerance, const Read& read, double* max_abs_error) {
  return CheckBlock(actual, expected, count, tolerance, read, max_abs_error);
}
#endif

template <typename T, typename Read>
bool AllAgree(const T* actual, const T* expected, int64_t count, const OutputTolerance& tolerance, const Read& read,
              double* max_abs_error) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) return CheckBlockAvx2(actual, expected, count, tolerance, read, max_abs_error);
#endif
  return CheckBlock(actual, expected, count, tolerance, read, max_abs_error);
}

template <typename T, typename Read>
Comparison Compare(const void* actual_data, const void* expected_data, int64_t num_elements,
                   const OutputTolerance& tolerance, Read read) {
  const T* actual = static_cast<const T*>(actual_data);
  const T* expected = static_cast<const T*>(expected_data);
  Comparison result;
  for (int64_t i = 0; i < num_elements; ++i) {
    if (i % kBlock == 0) {
      const int64_t count = std::min(kBlock, num_elements - i);
      if (AllAgree(actual + i, expected + i, count, tolerance, read, &result.max_abs_error)) {
        i += count - 1;
        continue;
      }
    }
    const double a = read(actual[i]), e = read(expected[i]);
    bool agrees = Agrees(a, e, tolerance);
    if constexpr (sizeof(T) == sizeof kPoisonWord) {
      // Only in f32 is poison a NaN, which would pass for a NaN that the kernel computed.
      const bool unwritten_a = std::bit_cast<uint32_t>(actual[i]) == kPoisonWord;
      const bool unwritten_e = std::bit_cast<uint32_t>(expected[i]) == kPoisonWord;
      agrees = agrees && unwritten_a == unwritten_e;
    }
    const double error = std::fabs(a - e);
    if (std::isfinite(error)) result.max_abs_error = std::max(result.max_abs_error, error);
    if (agrees) continue;
    if (result.agrees) {
      result.agrees = false;
      result.index = i;
      result.actual = a;
      result.expected = e;
    }
    ++result.mismatches;
  }
  return result;
}

}  // namespace

std::string Comparison::Describe(int64_t num_elements, const OutputTolerance& tolerance) const {
  char text[256];
  std::snprintf(text, sizeof text,
                "element %lld is %.9g, the baseline has %.9g (%lld of %lld differ by more than %g + %g x)",
                static_cast<long long>(index), actual, expected, static_cast<long long>(mismatches),
                static_cast<long long>(num_elements), tolerance.atol, tolerance.rtol);
  return text;
}

Comparison CompareOutputs(const void* actual, const void* expected, int32_t dtype, int64_t num_elements,
                          const OutputTolerance& tolerance) {
  const auto number = [](auto value) { return static_cast<double>(value); };
  switch (dtype) {
    case TILTH_F32:
      return Compare<float>(actual, expected, num_elements, tolerance, number);
    case TILTH_F16:
      return Compare<uint16_t>(actual, expected, num_elements, tolerance, HalfToFloat);
    case TILTH_BF16:
      return Compare<uint16_t>(actual, expected, num_elements, tolerance, BFloat16ToFloat);
    case TILTH_I8:
      return Compare<int8_t>(actual, expected, num_elements, tolerance, number);
    case TILTH_I32:
      return Compare<int32_t>(actual, expected, num_elements, tolerance, number);
    case TILTH_I64:
      return Compare<int64_t>(actual, expected, num_elements, tolerance, number);
    default:
      return Compare<uint8_t>(actual, expected, num_elements, tolerance, number);
  }
}

}  // namespace tilth::runner
