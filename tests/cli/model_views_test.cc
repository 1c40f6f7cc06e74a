// `tilth tasks` and `tilth zoo`, run as users do.
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

class ModelViews : public ::testing::Test {
 protected:
  ModelViews() : directory_(*TempDir::Create()) {}

  std::string Write(const std::string& name, const std::string& bytes) {
    const std::string path = directory_.path() + "/" + name;
    EXPECT_TRUE(WriteFile(path, bytes).ok());
    return path;
  }

  TempDir directory_;
};

TEST_F(ModelViews, TasksPrintsOneJsonDocument) {
  const std::string model = Write("model.onnx", OneOperatorModel("Exp", {{4, ""}, {32, ""}}));
  const ProgramResult result = RunTilth({"tasks", model, "--target", "x86-64-v3", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json document = json::parse(result.out);
  ASSERT_EQ(document["tasks"].size(), 1u);
  const json& task = document["tasks"][0];
  EXPECT_EQ(task["weight"], 1);
  EXPECT_EQ(task["flops"], 4 * 32);
  EXPECT_EQ(task["bytes"], 2 * 4 * 4 * 32);
  EXPECT_GT(task["space_size"], 1);
  EXPECT_EQ(task["workload"].get<std::string>().size(), 32u);
}

TEST_F(ModelViews, TasksPrintsATable) {
  const std::string model = Write("model.onnx", OneOperatorModel("Exp", {{4, ""}, {32, ""}}));
  const ProgramResult result = RunTilth({"tasks", model});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("exp 4x32"));
  EXPECT_THAT(result.out, HasSubstr("1 kernels, 1 calls"));
}

TEST_F(ModelViews, TasksTakesDynamicDimensions) {
  const std::string model = Write("model.onnx", OneOperatorModel("Exp", {{0, "batch"}, {32, ""}}));
  const ProgramResult refused = RunTilth({"tasks", model});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("--dim batch=1"));
  const ProgramResult given = RunTilth({"tasks", model, "--dim", "batch=3"});
  EXPECT_EQ(given.exit_code, 0) << given.err;
  EXPECT_THAT(given.out, HasSubstr("exp 3x32"));
}

TEST_F(ModelViews, ZooListsItsModels) {
  const ProgramResult result = RunTilth({"zoo", "list", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(json::parse(result.out)["models"].size(), 6u);
}

TEST_F(ModelViews, ZooMakesATestCaseThatTasksReads) {
  const std::string output = directory_.path() + "/squeezenet";
  const ProgramResult made = RunTilth({"zoo", "make", "squeezenet1.1", "-o", output, "--json"});
  ASSERT_EQ(made.exit_code, 0) << made.err;
  const std::string model = json::parse(made.out)["model"];
  EXPECT_TRUE(ReadFile(output + "/test_data_set_0/input_0.pb").ok());
  const ProgramResult tasks = RunTilth({"tasks", model, "--json"});
  ASSERT_EQ(tasks.exit_code, 0) << tasks.err;
  EXPECT_GT(json::parse(tasks.out)["tasks"].size(), 15u);
}

TEST_F(ModelViews, ZooNamesWhatItHas) {
  const ProgramResult result = RunTilth({"zoo", "make", "vgg99", "-o", directory_.path() + "/none"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("it has resnet18, resnet50"));
}

}  // namespace
}  // namespace tilth
