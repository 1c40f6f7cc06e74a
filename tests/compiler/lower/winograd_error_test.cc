// How far Winograd convolutions are from the exact sum, and that verification neither rejects them nor hides bugs.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "compiler/lower/lower.h"
#include "search_space/space.h"
#include "tests/compiler/lower/schedule_harness.h"
#include "tuner/tolerance.h"

namespace tilth {
namespace {

struct Size {
  int64_t channels, outputs, edge, taps;
};

std::string ConvolutionText(const Size& s) {
  const int64_t out = s.edge - s.taps + 1;
  return StrCat("tilth workload 1\nt0 input f32[1,", s.edge, ",", s.edge, ",", s.channels, "]\nt1 constant f32[",
                s.outputs, ",", s.channels, ",", s.taps, ",", s.taps, "]\nt2 output f32[1,", out, ",", out, ",",
                s.outputs, "]\nt2[i0, i1, i2, i3] for i0:1 i1:", out, " i2:", out, " i3:", s.outputs,
                " = sum[r0:", s.taps, " r1:", s.taps, " r2:", s.channels,
                "] (t0[i0, (i1 + r0), (i2 + r1), r2] * t1[i3, r2, r0, r1])\n");
}

// In double precision, straight from the definition.
std::vector<double> ExactConvolution(const Size& s, const TensorValue& x, const TensorValue& w) {
  const int64_t out = s.edge - s.taps + 1;
  std::vector<double> y;
  for (int64_t i = 0; i < out * out; ++i)
    for (int64_t o = 0; o < s.outputs; ++o) {
      double sum = 0;
      for (int64_t t = 0; t < s.taps * s.taps; ++t) {
        const int64_t row = i / out + t / s.taps, column = i % out + t % s.taps;
        for (int64_t c = 0; c < s.channels; ++c)
          sum += x.Get((row * s.edge + column) * s.channels + c) * w.Get((o * s.channels + c) * s.taps * s.taps + t);
      }
      y.push_back(sum);
    }
  return y;
}

class WinogradError : public testing::TestWithParam<Size> {};

// Verification allows an absolute error for an output near zero. The error of F(4, 3) is about half of it, that of
// F(2, 3) a seventh; F(6, 3) would be three times as much (docs/decisions/0006-winograd.md).
TEST_P(WinogradError, StaysWithinTheVerificationTolerance) {
  const Size& size = GetParam();
  Workload workload = *ParseWorkload(ConvolutionText(size));
  const Target target = *ParseTarget("native");
  std::vector<TensorValue> arguments;
  for (int t = 0; t < 3; ++t) arguments.push_back(RandomValue(workload.tensors[t], /*seed=*/1, t));
  const std::vector<double> exact = ExactConvolution(size, arguments[0], arguments[1]);
  const double tolerance = OutputTolerances(workload)[0].atol;
  const auto space = *SearchSpace::Create(workload, target);
  int measured = 0;
  for (size_t i = 0; i < space->sketches().size(); ++i) {
    const Sketch& sketch = *space->sketches()[i];
    if (sketch.name() != "winograd") continue;
    Candidate candidate = space->Defaults()[i];
    for (size_t option = 0; option < sketch.knobs()[0].options.size(); ++option) {
      candidate.rows[0] = static_cast<uint16_t>(option);
      StatusOr<LoopProgram> program = Lower(workload, space->Resolve(candidate));
      ASSERT_TRUE(program.ok()) << program.status();
      const Status status = RunNative(*program, target, &arguments);
      ASSERT_TRUE(status.ok()) << status;
      double error = 0;
      for (size_t y = 0; y < exact.size(); ++y)
        error = std::max(error, std::fabs(arguments[2].Get(static_cast<int64_t>(y)) - exact[y]));
      std::printf("%ld channels, %ld taps, tiles of %ld inputs: largest error %.2g, %.2f of the tolerance\n",
                  size.channels, size.taps, sketch.knobs()[0].options[option][0], error, error / tolerance);
      EXPECT_LT(error, 0.9 * tolerance);
      EXPECT_GT(error, tolerance / 300);
      ++measured;
    }
  }
  EXPECT_EQ(measured, size.taps == 5 ? 1 : 2);
}

INSTANTIATE_TEST_SUITE_P(Sizes, WinogradError,
                         testing::Values(Size{24, 48, 26, 3}, Size{64, 32, 26, 3}, Size{256, 16, 18, 3},
                                         Size{32, 24, 24, 5}),
                         [](const testing::TestParamInfo<Size>& info) {
                           return StrCat(info.param.channels, "Channels", info.param.taps, "Taps");
                         });

}  // namespace
}  // namespace tilth
