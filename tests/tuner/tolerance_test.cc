#include "tuner/tolerance.h"

#include <cmath>

#include "base/rng.h"
#include "gtest/gtest.h"
#include "tests/ir/workloads.h"

namespace tilth {
namespace {

TEST(Tolerance, GrowsWithTheReduction) {
  const Tolerance small = OutputTolerances(testing::Matmul(4, 4, 16))[0];
  const Tolerance large = OutputTolerances(testing::Matmul(4, 4, 4096))[0];
  EXPECT_GT(large.atol, 50 * small.atol);
  EXPECT_LT(large.atol, 1e-3);
  EXPECT_EQ(large.rtol, small.rtol);
}

TEST(Tolerance, IsLooserWhereExponentialsAmplify) {
  EXPECT_GT(OutputTolerances(testing::Softmax(4, 64))[0].rtol, 3 * OutputTolerances(testing::Matmul(4, 4, 64))[0].rtol);
}

TEST(Tolerance, HasOneEntryPerOutputAndIntegersAreExact) {
  Workload workload = testing::Matmul(4, 4, 4);
  workload.tensors[2].dtype = DType::kI32;
  const auto tolerances = OutputTolerances(workload);
  ASSERT_EQ(tolerances.size(), 1u);
  EXPECT_EQ(tolerances[0].atol, 0);
  EXPECT_EQ(tolerances[0].rtol, 0);
}

// The largest difference between two orders of summation in f32 over `outputs` dot products of length k.
double LargestDifference(int outputs, int k) {
  double largest = 0;
  for (int o = 0; o < outputs; ++o) {
    std::vector<float> products(static_cast<size_t>(k));
    for (int i = 0; i < k; ++i) {
      const auto counter = static_cast<uint64_t>(o * k + i);
      products[static_cast<size_t>(i)] = CounterUniform(1, counter) * CounterUniform(2, counter);
    }
    float forward = 0, blocked[8] = {};
    for (int i = 0; i < k; ++i) forward += products[static_cast<size_t>(i)];
    for (int i = 0; i < k; ++i) blocked[i % 8] += products[static_cast<size_t>(i)];
    float total = 0;
    for (float part : blocked) total += part;
    largest = std::max(largest, static_cast<double>(std::abs(forward - total)));
  }
  return largest;
}

TEST(Tolerance, CoversReorderedSumsAndLittleMore) {
  for (int k : {9, 64, 576, 4608}) {
    const double atol = OutputTolerances(testing::Matmul(4, 4, k))[0].atol;
    const double difference = LargestDifference(2000, k);
    EXPECT_LT(difference, atol) << k;
    EXPECT_GT(difference, atol / 300) << k;
    // One product left out of a sum is an error of about 0.2.
    EXPECT_LT(atol, 0.01) << k;
  }
}

}  // namespace
}  // namespace tilth
