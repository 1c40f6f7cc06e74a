// Errors of the polynomial functions in generated code, against the C library in double precision.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "compiler/lower/lower.h"
#include "search_space/space.h"
#include "tests/compiler/lower/schedule_harness.h"

namespace tilth {
namespace {

constexpr int kCount = 4096;

// f(x) for each x by generated vector code of `function`.
std::vector<float> Evaluate(const std::string& function, const std::vector<float>& x) {
  const std::string text = StrCat("tilth workload 1\nt0 input f32[", kCount, "]\nt1 output f32[", kCount,
                                  "]\nt1[i0] for i0:", kCount, " = ", function, "\n");
  StatusOr<Workload> workload = ParseWorkload(text);
  EXPECT_TRUE(workload.ok()) << workload.status();
  const Target target = *ParseTarget("native");
  auto space = SearchSpace::Create(*workload, target);
  EXPECT_TRUE(space.ok()) << space.status();
  StatusOr<LoopProgram> program = Lower(*workload, (*space)->Resolve((*space)->Default()));
  EXPECT_TRUE(program.ok()) << program.status();
  std::vector<TensorValue> arguments = {ZeroValue(DType::kF32, {kCount}), ZeroValue(DType::kF32, {kCount})};
  for (int i = 0; i < kCount; ++i) arguments[0].Set(i, x[i]);
  const Status status = RunNative(*program, target, &arguments);
  EXPECT_TRUE(status.ok()) << status;
  std::vector<float> y(kCount);
  for (int i = 0; i < kCount; ++i) y[i] = static_cast<float>(arguments[1].Get(i));
  return y;
}

std::vector<float> Grid(double low, double high) {
  std::vector<float> x(kCount);
  for (int i = 0; i < kCount; ++i) x[i] = static_cast<float>(low + (high - low) * i / (kCount - 1));
  return x;
}

struct Errors {
  double absolute = 0, relative = 0;
};
Errors Measure(const std::string& function, double low, double high, const std::function<double(double)>& exact) {
  const std::vector<float> x = Grid(low, high), y = Evaluate(function, x);
  Errors errors;
  for (int i = 0; i < kCount; ++i) {
    const double want = exact(x[i]), difference = std::fabs(y[i] - want);
    errors.absolute = std::max(errors.absolute, difference);
    if (want != 0) errors.relative = std::max(errors.relative, difference / std::fabs(want));
  }
  return errors;
}

TEST(VectorMath, ExpIsWithinThreeInTenMillion) {
  EXPECT_LT(Measure("exp(t0[i0])", -87, 88, [](double x) { return std::exp(x); }).relative, 3e-7);
  EXPECT_LT(Measure("exp(t0[i0])", -1, 1, [](double x) { return std::exp(x); }).relative, 3e-7);
}

TEST(VectorMath, ExpPastItsRangeIsZeroOrInfinite) {
  std::vector<float> x(kCount, 200.0f);
  x[1] = -200.0f;
  x[2] = std::numeric_limits<float>::quiet_NaN();
  x[3] = -std::numeric_limits<float>::infinity();
  const std::vector<float> y = Evaluate("exp(t0[i0])", x);
  EXPECT_TRUE(std::isinf(y[0]));
  EXPECT_EQ(y[1], 0.0f);
  EXPECT_TRUE(std::isnan(y[2]));
  EXPECT_EQ(y[3], 0.0f);
}

TEST(VectorMath, LogIsWithinFiveInTenMillion) {
  auto log = [](double x) { return std::log(x); };
  EXPECT_LT(Measure("log(t0[i0])", 1e-6, 0.9, log).relative, 5e-7);
  EXPECT_LT(Measure("log(t0[i0])", 1.1, 1e6, log).relative, 5e-7);
  EXPECT_LT(Measure("log(t0[i0])", 0.9, 1.1, log).absolute, 1e-7);
  std::vector<float> x(kCount, 0.0f);
  x[1] = -1.0f;
  x[2] = 1e-40f;
  const std::vector<float> y = Evaluate("log(t0[i0])", x);
  EXPECT_EQ(y[0], -std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(y[1]));
  EXPECT_NEAR(y[2], std::log(1e-40), 1e-4);
}

TEST(VectorMath, TanhErfAndSigmoidAreWithinTheirStatedErrors) {
  EXPECT_LT(Measure("tanh(t0[i0])", -10, 10, [](double x) { return std::tanh(x); }).absolute, 3e-7);
  EXPECT_LT(Measure("tanh(t0[i0])", -0.3, 0.3, [](double x) { return std::tanh(x); }).relative, 1e-6);
  EXPECT_LT(Measure("erf(t0[i0])", -5, 5, [](double x) { return std::erf(x); }).relative, 5e-7);
  EXPECT_LT(Measure("erf(t0[i0])", -1e-3, 1e-3, [](double x) { return std::erf(x); }).relative, 5e-7);
  EXPECT_LT(Measure("sigmoid(t0[i0])", -30, 30, [](double x) { return 1 / (1 + std::exp(-x)); }).relative, 5e-7);
}

TEST(VectorMath, PowKeepsTheSignOfIntegerExponents) {
  EXPECT_LT(Measure("pow(t0[i0], 3.0)", -4, 4, [](double x) { return x * x * x; }).relative, 5e-6);
  EXPECT_LT(Measure("pow(t0[i0], 2.0)", -4, 4, [](double x) { return x * x; }).relative, 5e-6);
  EXPECT_LT(Measure("pow(t0[i0], 0.75)", 0.01, 50, [](double x) { return std::pow(x, 0.75); }).relative, 5e-6);
}

// Divisors known only at run time, among them 0 and -1, in whole vectors and in a masked rest.
TEST(VectorMath, IntegerDivisionNeverTraps) {
  for (const bool mod : {false, true}) {
    const Workload workload = *ParseWorkload(
        StrCat("tilth workload 1\nt0 input i64[37]\nt1 input i64[37]\nt2 output i64[37]\nt2[i0] for i0:37 = (t0[i0] ",
               mod ? "%" : "//", " t1[i0])\n"));
    const Target target = *ParseTarget("native");
    const auto space = *SearchSpace::Create(workload, target);
    const LoopProgram program = *Lower(workload, space->Resolve(space->Default()));
    std::vector<TensorValue> arguments(3, ZeroValue(DType::kI64, {37}));
    for (int i = 0; i < 37; ++i) {
      arguments[0].Set(i, 3 * i - 50);
      arguments[1].Set(i, i % 7 - 3);
    }
    const Status status = RunNative(program, target, &arguments);
    ASSERT_TRUE(status.ok()) << status;
    for (int i = 0; i < 37; ++i) {
      const double a = 3 * i - 50, b = i % 7 - 3;
      const double floor = b == 0 ? 0 : std::floor(a / b);
      EXPECT_EQ(arguments[2].Get(i), mod ? (b == 0 ? 0 : a - floor * b) : floor) << a << " by " << b;
    }
  }
}

}  // namespace
}  // namespace tilth
