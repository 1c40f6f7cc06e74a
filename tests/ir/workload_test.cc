#include "ir/workload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/strings.h"
#include "tests/ir/workloads.h"

namespace tilth {
namespace {

using testing::ConvRelu;
using ::testing::HasSubstr;
using testing::Matmul;
using testing::Softmax;

TEST(WorkloadText, ParsesBackToTheSameText) {
  for (const Workload& w : {Matmul(3, 4, 5), ConvRelu(8, 9, 4, 6), Softmax(7, 33)}) {
    const std::string text = ToText(w);
    const StatusOr<Workload> parsed = ParseWorkload(text);
    ASSERT_TRUE(parsed.ok()) << parsed.status() << "\n" << text;
    EXPECT_EQ(ToText(*parsed), text);
  }
}

TEST(WorkloadText, MatmulReadsAsDocumented) {
  EXPECT_EQ(ToText(Matmul(3, 4, 5)),
            "tilth workload 1\n"
            "t0 input f32[3,5]\n"
            "t1 constant f32[5,4]\n"
            "t2 output f32[3,4]\n"
            "t2[i0, i1] for i0:3 i1:4 = sum[r0:5] (t0[i0, r0] * t1[r0, i1])\n");
}

TEST(WorkloadText, KeepsEveryOperatorAndSpecialNumbers) {
  const std::string text =
      "tilth workload 1\n"
      "t0 input f32[4]\n"
      "t1 input i64[4] below 9\n"
      "t2 input bool[4]\n"
      "t3 output f32[4]\n"
      "t4 output i64[4]\n"
      "t3[i0] for i0:4 = max(round(t0[i0]), select((t2[i0] | not((t0[i0] <= -inf))), nan, (1e-05 / f16(t1[i0]))))\n"
      "t4[i0] for i0:4 = ((t1[i0] // 3) % min(t1[((i0 * -1) + 3)], i32(t0[i0])))\n";
  const StatusOr<Workload> parsed = ParseWorkload(text);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(ToText(*parsed), text);
}

TEST(WorkloadText, ReadsScalarsAndStagesWithoutAxes) {
  const std::string text = "tilth workload 1\nt0 input f32[]\nt1 output f32[]\nt1[] for = neg(t0[])\n";
  const StatusOr<Workload> parsed = ParseWorkload(text);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(ToText(*parsed), text);
}

TEST(WorkloadText, HashIgnoresNames) {
  Workload a = Matmul(3, 4, 5), b = a;
  b.name = "other";
  b.tensors[0].name = "left";
  b.stages[0].axes[0].name = "row";
  EXPECT_EQ(StructuralHash(a), StructuralHash(b));
  EXPECT_NE(StructuralHash(a), StructuralHash(Matmul(3, 4, 6)));
}

struct BadText {
  const char* text;
  const char* message;
};

class BadWorkloadText : public ::testing::TestWithParam<BadText> {};

TEST_P(BadWorkloadText, IsRefusedWithTheLine) {
  const StatusOr<Workload> parsed = ParseWorkload(GetParam().text);
  ASSERT_FALSE(parsed.ok());
  EXPECT_THAT(std::string(parsed.status().message()), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadWorkloadText,
    ::testing::Values(
        BadText{"", "not a workload text"}, BadText{"tilth workload 2\n", "not a workload text"},
        BadText{"tilth workload 1\n", "no stages"}, BadText{"tilth workload 1\nt0 input f99[2]\n", "line 2"},
        BadText{"tilth workload 1\nt0 input f32[0]\nt1 output f32[1]\nt1[i0] for i0:1 = t0[i0]\n", "extent 0"},
        BadText{"tilth workload 1\nt0 input f32[9223372036854775807,4]\nt1 output f32[1]\nt1[i0] for i0:1 = 1.0\n",
                "more than 2^40"},
        BadText{"tilth workload 1\nt0 output f32[2]\nt0[i0] for i0:2 = t7[i0]\n", "t7 is not declared"},
        BadText{"tilth workload 1\nt0 output f32[2]\nt0[i0] for i0:2 = i3\n", "axis 3 is not declared"},
        BadText{"tilth workload 1\nt0 output f32[2]\nt0[i0] for i0:2 = (1.0 + 1)\n", "fitting types"},
        BadText{"tilth workload 1\nt0 output f32[2]\nt0[i0] for i0:2 = foo(1.0)\n", "expected a function"},
        BadText{"tilth workload 1\nt0 output f32[2]\nt0[i0] for i0:2 = (1.0 + \n", "expected"},
        BadText{"tilth workload 1\nt0 output f32[2]\nt0[i0] for i0:2 = 1\n", "another type"},
        BadText{"tilth workload 1\nt0 output f32[2]\nt0[i0] for i0:3 = 1.0\n", "from 0 to 2"},
        BadText{"tilth workload 1\nt0 input f32[2]\nt0[i0] for i0:2 = 1.0\n", "not an output"},
        BadText{"tilth workload 1\nt0 output f32[2]\nt1 temporary f32[2]\nt0[i0] for i0:2 = t1[i0]\n",
                "before it is written"},
        BadText{"tilth workload 1\nt0 input f32[2]\nt1 output f32[2]\nt1[i0] for i0:2 = t0[(i0 + 1)]\n",
                "from 1 to 2"}));

TEST(WorkloadText, DeepNestingIsAnErrorNotACrash) {
  std::string text = "tilth workload 1\nt0 output f32[1]\nt0[i0] for i0:1 = ";
  for (int i = 0; i < 100000; ++i) text += "neg(";
  const StatusOr<Workload> parsed = ParseWorkload(text);
  ASSERT_FALSE(parsed.ok());
  EXPECT_THAT(std::string(parsed.status().message()), HasSubstr("nested too deeply"));
}

TEST(WorkloadText, EveryTruncationIsRefusedOrValid) {
  const std::string text = ToText(ConvRelu(5, 5, 2, 3));
  for (size_t size = 0; size < text.size(); ++size) {
    const StatusOr<Workload> parsed = ParseWorkload(text.substr(0, size));
    EXPECT_TRUE(!parsed.ok() || Validate(*parsed).ok());
  }
}

TEST(WorkloadValidate, PaddingConditionsBoundTheLoadsTheyGuard) {
  EXPECT_TRUE(Validate(ConvRelu(8, 8, 4, 4)).ok()) << Validate(ConvRelu(8, 8, 4, 4));
  Workload w = ConvRelu(8, 8, 4, 4);
  w.tensors[0].shape[1] = 7;  // the guard still says h < 8
  EXPECT_THAT(std::string(Validate(w).message()), HasSubstr("dimension 1 of x"));
}

TEST(WorkloadFlops, CountsMultiplyAddAsTwo) {
  EXPECT_EQ(Flops(Matmul(3, 4, 5)), 2 * 3 * 4 * 5);
  EXPECT_EQ(Flops(ConvRelu(8, 8, 4, 6)), 8 * 8 * 6 * (2 * 9 * 4 + 2));
}

TEST(WorkloadBytes, CountsWhatMustMoveOnce) {
  EXPECT_EQ(CompulsoryBytes(Matmul(3, 4, 5)), 4 * (15 + 20 + 12));
  EXPECT_EQ(CompulsoryBytes(Softmax(7, 33)), 4 * 2 * 7 * 33);
}

TEST(WorkloadBytes, CountsOnlyTheSliceThatIsWritten) {
  Workload w = Matmul(3, 4, 5);
  w.tensors[2].shape = {3, 40};
  w.stages[0].output_index[1] = expr::Add(expr::Index(1), expr::Int(8));
  ASSERT_TRUE(Validate(w).ok());
  EXPECT_EQ(CompulsoryBytes(w), 4 * (15 + 20 + 12));
}

}  // namespace
}  // namespace tilth
