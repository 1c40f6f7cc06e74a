#include "compiler/package/compare_outputs.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "tests/compiler/package/small_model.h"

namespace tilth {
namespace {

using ::testing::HasSubstr;

TEST(CompareOutput, NamesIndexAndBothValuesOfTheFirstMismatch) {
  TensorValue want = ZeroValue(DType::kF32, {2, 3}), got = want;
  want.Set(4, 1);
  got.Set(4, 1.5);
  got.Set(5, 2);
  const auto difference = CompareOutput(got, want, {});
  ASSERT_TRUE(difference.ok());
  EXPECT_FALSE(difference->passed);
  EXPECT_EQ(difference->max_abs_error, 2);
  EXPECT_EQ(difference->max_rel_error, 0.5);
  EXPECT_EQ(DescribeMismatch(*difference, got), "element [1, 1] is 1.5, expected 1 (1 more of 6 elements differ)");
}

TEST(CompareOutput, ToleranceIsAbsolutePlusRelative) {
  const TensorValue want = FloatValue({100}), near = FloatValue({100.1f}), far = FloatValue({100.2f});
  EXPECT_TRUE(CompareOutput(near, want, {.rtol = 1e-3, .atol = 1e-2})->passed);
  EXPECT_FALSE(CompareOutput(far, want, {.rtol = 1e-3, .atol = 1e-2})->passed);
}

TEST(CompareOutput, NanEqualsNanOnly) {
  const TensorValue nan = FloatValue({std::nanf("")}), one = FloatValue({1});
  EXPECT_TRUE(CompareOutput(nan, nan, {})->passed);
  EXPECT_FALSE(CompareOutput(nan, one, {})->passed);
  EXPECT_FALSE(CompareOutput(one, nan, {})->passed);
}

TEST(CompareOutput, InfinityEqualsItselfOnly) {
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_TRUE(CompareOutput(FloatValue({infinity}), FloatValue({infinity}), {})->passed);
  EXPECT_FALSE(CompareOutput(FloatValue({1e30f}), FloatValue({infinity}), {})->passed);
}

TEST(CompareOutput, AnotherShapeIsAnError) {
  const auto difference = CompareOutput(FloatValue({1, 2}), FloatValue({1}), {});
  EXPECT_THAT(difference.status().message(), HasSubstr("f32 [2], expected f32 [1]"));
}

}  // namespace
}  // namespace tilth
