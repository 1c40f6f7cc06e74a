#include "rpc_agent/runner/test_data.h"

#include "base/rng.h"
#include "compiler/runtime/kernel_abi.h"
#include "rpc_agent/runner/half.h"

namespace tilth::runner {
namespace {

template <typename T, typename Make>
[[gnu::always_inline]] inline void Fill(void* data, int64_t num_elements, const Make& make) {
  T* out = static_cast<T*>(data);
  for (int64_t i = 0; i < num_elements; ++i) out[i] = static_cast<T>(make(static_cast<uint64_t>(i)));
}

#if defined(__x86_64__)
// The same loop in wider vectors: a trial of a large kernel would spend more time on its data than on its runs.
template <typename T, typename Make>
[[gnu::target("avx512f,avx512dq,avx512bw,avx512vl")]] void FillAvx512(void* data, int64_t num_elements,
                                                                      const Make& make) {
  Fill<T>(data, num_elements, make);
}

template <typename T, typename Make>
[[gnu::target("avx2")]] void FillAvx2(void* data, int64_t num_elements, const Make& make) {
  Fill<T>(data, num_elements, make);
}
#endif

template <typename T, typename Make>
void FillWith(void* data, int64_t num_elements, const Make& make) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")) {
    return FillAvx512<T>(data, num_elements, make);
  }
  if (__builtin_cpu_supports("avx2")) return FillAvx2<T>(data, num_elements, make);
#endif
  Fill<T>(data, num_elements, make);
}

}  // namespace

void FillTestData(void* data, int32_t dtype, int64_t num_elements, uint64_t stream, int64_t value_bound) {
  const auto uniform = [stream](uint64_t i) { return CounterUniform(stream, i); };
  const auto integer = [stream, value_bound](uint64_t i) -> int64_t {
    const uint64_t span = value_bound > 0 ? static_cast<uint64_t>(value_bound) : 200;
    const uint64_t bits = MixBits(stream ^ MixBits(i));
    const auto scaled = static_cast<int64_t>((static_cast<unsigned __int128>(bits) * span) >> 64);
    return value_bound > 0 ? scaled : scaled - 100;
  };
  switch (dtype) {
    case TILTH_F32:
      return FillWith<float>(data, num_elements, uniform);
    case TILTH_F16:
      return FillWith<uint16_t>(data, num_elements, [&](uint64_t i) { return FloatToHalf(uniform(i)); });
    case TILTH_BF16:
      return FillWith<uint16_t>(data, num_elements, [&](uint64_t i) { return FloatToBFloat16(uniform(i)); });
    case TILTH_I8:
      return FillWith<int8_t>(data, num_elements, integer);
    case TILTH_I32:
      return FillWith<int32_t>(data, num_elements, integer);
    case TILTH_I64:
      return FillWith<int64_t>(data, num_elements, integer);
    case TILTH_BOOL:
      return FillWith<uint8_t>(data, num_elements, [&](uint64_t i) { return uniform(i) < 0 ? 0 : 1; });
    default:
      return;
  }
}

}  // namespace tilth::runner
