// `tilth explain-kernel`, run as users do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"
#include "nlohmann/json.hpp"
#include "tests/support/tilth_program.h"

namespace tilth {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

class ExplainKernel : public ::testing::Test {
 protected:
  ExplainKernel() : directory_(*TempDir::Create()), workload_(directory_.File("matmul.txt")) {
    EXPECT_TRUE(WriteFile(workload_,
                          "tilth workload 1\nt0 input f32[64,96]\nt1 constant f32[96,80]\nt2 output f32[64,80]\n"
                          "t2[i0, i1] for i0:64 i1:80 = sum[r0:96] (t0[i0, r0] * t1[r0, i1])\n")
                    .ok());
  }

  TempDir directory_;
  std::string workload_;
};

TEST_F(ExplainKernel, ShowsLoopsAssemblyAndThroughput) {
  const ProgramResult result = RunTilth({"explain-kernel", workload_, "--target", "rpi4"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("run tiles"));
  EXPECT_THAT(result.out, HasSubstr("fmla"));
  EXPECT_THAT(result.out, HasSubstr("model of cortex-a72"));
  EXPECT_THAT(result.out, HasSubstr("0 loads from the stack"));
  EXPECT_THAT(result.out, HasSubstr("FLOP per byte"));
}

TEST_F(ExplainKernel, PrintsOneJsonDocumentForTheCandidateItIsGiven) {
  const ProgramResult first = RunTilth({"explain-kernel", workload_, "--target", "rpi5", "--predict", "50", "--json"});
  ASSERT_EQ(first.exit_code, 0) << first.err;
  const json predicted = json::parse(first.out)["kernels"][0];
  EXPECT_EQ(predicted["flops"], 2 * 64 * 96 * 80);
  EXPECT_EQ(predicted["loop"]["fma_lanes"], 4);
  const ProgramResult again = RunTilth(
      {"explain-kernel", workload_, "--target", "rpi5", "--decisions", predicted["decisions"].dump(), "--json"});
  ASSERT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(json::parse(again.out)["kernels"][0], predicted);
}

TEST_F(ExplainKernel, NamesWhatIsWrong) {
  const ProgramResult number = RunTilth({"explain-kernel", workload_, "--kernel", "7"});
  EXPECT_EQ(number.exit_code, 1);
  EXPECT_THAT(number.err, HasSubstr("there are kernels 1 to 1"));
  const ProgramResult decisions = RunTilth({"explain-kernel", workload_, "--decisions", R"({"sketch":"none"})"});
  EXPECT_EQ(decisions.exit_code, 1);
  EXPECT_THAT(decisions.err, HasSubstr("no sketch none"));
}

}  // namespace
}  // namespace tilth
