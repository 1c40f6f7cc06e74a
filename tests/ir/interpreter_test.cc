#include "ir/interpreter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <tuple>

#include "tests/ir/workloads.h"

namespace tilth {
namespace {

using ::testing::HasSubstr;
using testing::MakeTensor;

std::vector<TensorValue> RandomValues(const Workload& w, uint64_t seed) {
  std::vector<TensorValue> values;
  for (size_t t = 0; t < w.tensors.size(); ++t) values.push_back(RandomValue(w.tensors[t], seed, static_cast<int>(t)));
  return values;
}

TEST(Interpreter, MatmulAgreesWithLoops) {
  for (const auto& [m, n, k] : {std::tuple{3, 4, 5}, {2, 300, 7}, {1, 1, 600}, {5, 3, 100}}) {
    const Workload w = testing::Matmul(m, n, k);
    std::vector<TensorValue> values = RandomValues(w, 1);
    ASSERT_TRUE(Interpret(w, &values).ok());
    for (int i = 0; i < m; ++i) {
      for (int j = 0; j < n; ++j) {
        double sum = 0;
        for (int p = 0; p < k; ++p) sum += values[0].Get(i * k + p) * values[1].Get(p * n + j);
        ASSERT_FLOAT_EQ(values[2].Get(i * n + j), sum) << m << " " << n << " " << k;
      }
    }
  }
}

TEST(Interpreter, ConvolutionPadsWithZeros) {
  const int h = 6, w = 19, c = 3, o = 5;
  const Workload workload = testing::ConvRelu(h, w, c, o);
  std::vector<TensorValue> v = RandomValues(workload, 2);
  ASSERT_TRUE(Interpret(workload, &v).ok());
  for (int y = 0; y < h; ++y) {
    for (int x = 0; x < w; ++x) {
      for (int f = 0; f < o; ++f) {
        double sum = v[2].Get(f);
        for (int r = 0; r < 3; ++r) {
          for (int s = 0; s < 3; ++s) {
            const int iy = y + r - 1, ix = x + s - 1;
            if (iy < 0 || iy >= h || ix < 0 || ix >= w) continue;
            for (int k = 0; k < c; ++k)
              sum += v[0].Get((iy * w + ix) * c + k) * v[1].Get(((f * c + k) * 3 + r) * 3 + s);
          }
        }
        ASSERT_NEAR(v[3].Get((y * w + x) * o + f), std::max(sum, 0.0), 1e-5);
      }
    }
  }
}

TEST(Interpreter, SoftmaxRowsSumToOne) {
  const Workload w = testing::Softmax(4, 333);
  std::vector<TensorValue> values = RandomValues(w, 3);
  ASSERT_TRUE(Interpret(w, &values).ok());
  for (int i = 0; i < 4; ++i) {
    double sum = 0;
    for (int j = 0; j < 333; ++j) sum += values[1].Get(i * 333 + j);
    EXPECT_NEAR(sum, 1, 1e-5);
  }
}

TEST(Interpreter, GatherLoadsThroughAnIndexTensor) {
  const auto w = ParseWorkload(
      "tilth workload 1\nt0 constant f32[10,3]\nt1 input i64[4] below 10\nt2 output f32[4,3]\n"
      "t2[i0, i1] for i0:4 i1:3 = t0[t1[i0], i1]\n");
  ASSERT_TRUE(w.ok()) << w.status();
  std::vector<TensorValue> values = RandomValues(*w, 4);
  ASSERT_TRUE(Interpret(*w, &values).ok());
  for (int i = 0; i < 12; ++i) {
    EXPECT_EQ(values[2].Get(i), values[0].Get(static_cast<int64_t>(values[1].Get(i / 3)) * 3 + i % 3));
  }
  values[1].Set(2, 10);
  const Status status = Interpret(*w, &values);
  EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_THAT(std::string(status.message()), HasSubstr("loads tensor 0 at 10 in dimension 0"));
}

TEST(Interpreter, SelectGuardsLoadsOfTheSideNotTaken) {
  const auto w = ParseWorkload(
      "tilth workload 1\nt0 input f32[4]\nt1 output f32[8]\n"
      "t1[i0] for i0:8 = select(((i0 % 2) == 0), t0[(i0 // 2)], select((i0 < 4), t0[i0], -1.0))\n");
  ASSERT_TRUE(w.ok()) << w.status();
  std::vector<TensorValue> v = RandomValues(*w, 5);
  const Status status = Interpret(*w, &v);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(v[1].Get(6), v[0].Get(3));
  EXPECT_EQ(v[1].Get(3), v[0].Get(3));
  EXPECT_EQ(v[1].Get(7), -1);
}

TEST(Interpreter, IntegersKeepAllBits) {
  const auto w = ParseWorkload(
      "tilth workload 1\nt0 input i64[2]\nt1 output i64[2]\nt2 output i64[]\n"
      "t1[i0] for i0:2 = (t0[i0] + 1)\nt2[] for = max[r0:2] t0[r0]\n");
  ASSERT_TRUE(w.ok()) << w.status();
  std::vector<TensorValue> v = RandomValues(*w, 6);
  const int64_t big = (int64_t{1} << 62) + 1;
  std::memcpy(v[0].bytes.data(), &big, 8);
  ASSERT_TRUE(Interpret(*w, &v).ok());
  int64_t got = 0;
  std::memcpy(&got, v[1].bytes.data(), 8);
  EXPECT_EQ(got, big + 1);
  std::memcpy(&got, v[2].bytes.data(), 8);
  EXPECT_EQ(got, big);
}

TEST(Interpreter, RefusesValuesOfTheWrongShape) {
  const Workload w = testing::Matmul(2, 2, 2);
  std::vector<TensorValue> values = RandomValues(w, 7);
  values[1] = ZeroValue(DType::kF32, {2, 3});
  EXPECT_THAT(std::string(Interpret(w, &values).message()), HasSubstr("tensor b must be f32[2,2], got f32[2,3]"));
}

TEST(TensorValue, HalfFormatsRoundToNearestEven) {
  TensorValue half = ZeroValue(DType::kF16, {1}), brain = ZeroValue(DType::kBF16, {1});
  for (const auto& [in, as_half, as_brain] : {std::tuple{1.0, 1.0, 1.0},
                                              {65504.0, 65504.0, 65536.0},
                                              {70000.0, INFINITY, 70144.0},
                                              {1 + 1.0 / 2048, 1.0, 1.0},
                                              {1 + 3.0 / 2048, 1 + 2.0 / 1024, 1.0},
                                              {0x1p-24, 0x1p-24, 0x1p-24},
                                              {0x1p-26, 0.0, 0x1p-26},
                                              {-2.5, -2.5, -2.5}}) {
    half.Set(0, in);
    brain.Set(0, in);
    EXPECT_EQ(half.Get(0), as_half) << in;
    EXPECT_EQ(brain.Get(0), as_brain) << in;
  }
}

TEST(TensorValue, EveryHalfSurvivesTheRoundTrip) {
  TensorValue v = ZeroValue(DType::kF16, {1});
  for (int bits = 0; bits < 65536; ++bits) {
    const uint16_t before = static_cast<uint16_t>(bits);
    std::memcpy(v.bytes.data(), &before, 2);
    const double value = v.Get(0);
    if (std::isnan(value)) continue;
    v.Set(0, value);
    uint16_t after = 0;
    std::memcpy(&after, v.bytes.data(), 2);
    ASSERT_EQ(before, after);
  }
}

TEST(RandomValue, KeepsIntegersBelowTheirBoundAndIsReproducible) {
  Tensor tensor = MakeTensor("ids", TensorRole::kInput, {1000}, DType::kI64);
  tensor.value_bound = 7;
  const TensorValue a = RandomValue(tensor, 1, 0), b = RandomValue(tensor, 1, 0), c = RandomValue(tensor, 2, 0);
  EXPECT_EQ(a.bytes, b.bytes);
  EXPECT_NE(a.bytes, c.bytes);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_GE(a.Get(i), 0);
    EXPECT_LT(a.Get(i), 7);
  }
}

}  // namespace
}  // namespace tilth
