#include "rpc_agent/runner/fma_loop.h"

#include <time.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace tilth::runner {
namespace {

// Enough independent chains to hide the latency of every multiply-add unit there is (4 cycles x 2 units, NEON x 4).
constexpr int kChains = 16;

// Each burst runs `steps` multiply-adds on every lane of every chain and returns how many multiply-adds that was.
using Burst = int64_t (*)(int64_t steps, float* sink);

#if !defined(__aarch64__)
int64_t ScalarBurst(int64_t steps, float* sink) {
  float chains[kChains];
  std::fill_n(chains, kChains, 1.0f);
  for (int64_t s = 0; s < steps; ++s) {
    for (float& chain : chains) chain = chain * 0.5f + 0.5f;
  }
  for (float chain : chains) *sink += chain;
  return steps * kChains;
}
#endif

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) int64_t Avx2Burst(int64_t steps, float* sink) {
  // 16 registers in all: 12 chains leave room for the factor.
  constexpr int kAvx2Chains = 12;
  __m256 chains[kAvx2Chains];
  const __m256 factor = _mm256_set1_ps(0.5f);
  for (__m256& chain : chains) chain = _mm256_set1_ps(1.0f);
  for (int64_t s = 0; s < steps; ++s) {
#pragma GCC unroll 12
    for (__m256& chain : chains) chain = _mm256_fmadd_ps(chain, factor, factor);
  }
  for (__m256& chain : chains) *sink += _mm256_cvtss_f32(chain);
  return steps * kAvx2Chains * 8;
}

__attribute__((target("avx512f"))) int64_t Avx512Burst(int64_t steps, float* sink) {
  __m512 chains[kChains];
  const __m512 factor = _mm512_set1_ps(0.5f);
  for (__m512& chain : chains) chain = _mm512_set1_ps(1.0f);
  for (int64_t s = 0; s < steps; ++s) {
#pragma GCC unroll 16
    for (__m512& chain : chains) chain = _mm512_fmadd_ps(chain, factor, factor);
  }
  for (__m512& chain : chains) *sink += _mm512_cvtss_f32(chain);
  return steps * kChains * 16;
}

Burst WidestBurst() {
  if (__builtin_cpu_supports("avx512f")) return Avx512Burst;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return Avx2Burst;
  return ScalarBurst;
}
#elif defined(__aarch64__)
int64_t NeonBurst(int64_t steps, float* sink) {
  float32x4_t chains[kChains];
  const float32x4_t factor = vdupq_n_f32(0.5f);
  for (float32x4_t& chain : chains) chain = vdupq_n_f32(1.0f);
  for (int64_t s = 0; s < steps; ++s) {
#pragma GCC unroll 16
    for (float32x4_t& chain : chains) chain = vfmaq_f32(factor, chain, factor);
  }
  for (float32x4_t& chain : chains) *sink += vgetq_lane_f32(chain, 0);
  return steps * kChains * 4;
}

Burst WidestBurst() { return NeonBurst; }
#else
Burst WidestBurst() { return ScalarBurst; }
#endif

}  // namespace

int64_t NowNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

double FmaPass() {
  constexpr int64_t kSteps = 4000;
  static const Burst burst = WidestBurst();
  float sink = 0;
  const int64_t multiply_adds = burst(kSteps, &sink);
  volatile float used = sink;
  (void)used;
  return 2.0 * static_cast<double>(multiply_adds);
}

double MeasureFmaGflops(int64_t duration_ns, double enough_gflops) {
  double best = 0;
  const int64_t end = NowNs() + duration_ns;
  int64_t now = NowNs();
  do {
    const int64_t begin = now;
    const double operations = FmaPass();
    now = NowNs();
    if (now > begin) best = std::max(best, operations / static_cast<double>(now - begin));
    if (enough_gflops > 0 && best >= enough_gflops) break;
  } while (now < end);
  return best;
}

double MeasureTriadGbps() {
  constexpr size_t kElements = size_t{8} << 20;
  constexpr int kRounds = 4;
  std::unique_ptr<float[]> a(new (std::nothrow) float[kElements]), b(new (std::nothrow) float[kElements]),
      c(new (std::nothrow) float[kElements]);
  if (a == nullptr || b == nullptr || c == nullptr) return 0;
  std::fill_n(a.get(), kElements, 0.0f);
  std::fill_n(b.get(), kElements, 1.0f);
  std::fill_n(c.get(), kElements, 2.0f);
  double best = 0;
  for (int round = 0; round < kRounds; ++round) {
    const int64_t begin = NowNs();
    for (size_t i = 0; i < kElements; ++i) a[i] = b[i] + static_cast<float>(round) * c[i];
    volatile float used = a[kElements / 2];
    (void)used;
    const int64_t elapsed = std::max<int64_t>(1, NowNs() - begin);
    best = std::max(best, 12.0 * kElements / static_cast<double>(elapsed));
  }
  return best;
}

}  // namespace tilth::runner
