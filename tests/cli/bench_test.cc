// `tilth bench`, run as users do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"
#include "nlohmann/json.hpp"
#include "tests/support/tilth_program.h"
#include "tests/support/tiny_onnx.h"

namespace tilth {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

class BenchBuild : public ::testing::Test {
 protected:
  BenchBuild() : directory_(*TempDir::Create()), model_(directory_.File("model.onnx")) {
    EXPECT_TRUE(WriteFile(model_, OneOperatorModel("Exp", {{4, ""}, {32, ""}})).ok());
  }

  TempDir directory_;
  std::string model_;
};

TEST_F(BenchBuild, PrintsOneJsonDocument) {
  const ProgramResult result = RunTilth({"bench", "build", model_, "--candidates", "3", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json document = json::parse(result.out);
  EXPECT_GT(document["builds_per_second"], 0);
  EXPECT_GT(document["builds_per_cpu_second"], 0);
  EXPECT_EQ(document["builds"], 3);
  EXPECT_EQ(document["failures"], 0);
  EXPECT_GT(document["sketches"][0]["machine_ms"], 0);
}

TEST_F(BenchBuild, BuildsForOtherMachines) {
  const ProgramResult result = RunTilth({"bench", "build", model_, "--candidates", "2", "--target", "rpi4"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("1 kernels, 2 builds, 0 failed"));
}

TEST_F(BenchBuild, RefusesToBuildNothing) {
  EXPECT_EQ(RunTilth({"bench", "build", model_, "--candidates", "0"}).exit_code, 2);
}

TEST(BenchScore, PrintsOneJsonDocument) {
  const ProgramResult result = RunTilth({"bench", "score", "--seconds", "0.05", "--trees", "100", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json document = json::parse(result.out);
  EXPECT_GT(document["candidates_per_second"], 0);
  EXPECT_GT(document["candidates"], 1000);
  EXPECT_GT(document["ns_per_candidate"]["forest"], 0);
  EXPECT_LE(document["largest_difference_from_xgboost"], 1e-5);
}

TEST(BenchScore, SaysWhichTaskItDoesNotFind) {
  const ProgramResult result = RunTilth({"bench", "score", "--task", "fft"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("--task fft: no kernel"));
}

}  // namespace
}  // namespace tilth
