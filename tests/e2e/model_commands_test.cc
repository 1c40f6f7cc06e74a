// build, run and check on a tiny model, as a user runs them.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/subprocess.h"
#include "tests/support/tilth_program.h"
#include "tests/support/tiny_onnx.h"

namespace tilth {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

// A test case in ONNX's layout: y = Relu(x + {1, 0, -1, 0.5}), and one data set that fits.
class ModelCommandsTest : public testing::Test {
 protected:
  ModelCommandsTest() : directory_(*TempDir::Create()) {
    Write("model.onnx", BiasReluModel({1, 0, -1, 0.5f}));
    WriteDataSet("test_data_set_0", {-2, -1, 5, 1}, {0, 0, 4, 1.5f});
  }

  std::string Path(std::string_view name) const { return directory_.File(name); }
  void Write(const std::string& name, std::string_view bytes) { ASSERT_TRUE(WriteFile(Path(name), bytes).ok()); }
  void WriteDataSet(const std::string& name, const std::vector<float>& input, const std::vector<float>& output) {
    ASSERT_TRUE(MakeDirectories(Path(name)).ok());
    Write(name + "/input_0.pb", FloatTensor("x", {4}, input));
    Write(name + "/output_0.pb", FloatTensor("y", {4}, output));
  }
  ProgramResult Build(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"build", Path("model.onnx"), "-o", Path("out"), "--name", "tiny"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return RunTilth(arguments);
  }

  TempDir directory_;
};

TEST_F(ModelCommandsTest, CheckPassesWhenOutputsAgree) {
  for (const char* threads : {"1", "2"}) {
    const ProgramResult result = RunTilth({"check", Path(""), "--threads", threads, "--json"});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    const Json json = Json::parse(result.out);
    EXPECT_EQ(json["passed"], true);
    ASSERT_EQ(json["outputs"].size(), 1u);
    EXPECT_EQ(json["outputs"][0]["name"], "y");
    EXPECT_EQ(json["outputs"][0]["max_abs_error"], 0);
    EXPECT_EQ(json["outputs"][0]["max_rel_error"], 0);
  }
}

TEST_F(ModelCommandsTest, CheckNamesOutputIndexAndValuesWhenTheyDiffer) {
  WriteDataSet("test_data_set_1", {-2, -1, 5, 1}, {0, 0, 4.25f, 1.5f});
  const ProgramResult result = RunTilth({"check", Path(""), "--json"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(Json::parse(result.out)["passed"], false);
  EXPECT_THAT(result.err, HasSubstr("test_data_set_1: output y: element [2] is 4, expected 4.25"));
}

TEST_F(ModelCommandsTest, ToleranceDecidesWhatPasses) {
  WriteDataSet("test_data_set_0", {-2, -1, 5, 1}, {0, 0, 4.01f, 1.5f});
  EXPECT_EQ(RunTilth({"check", Path("")}).exit_code, 1);
  EXPECT_EQ(RunTilth({"check", Path(""), "--rtol", "0.01"}).exit_code, 0);
  EXPECT_EQ(RunTilth({"check", Path(""), "--atol", "0.02"}).exit_code, 0);
}

TEST_F(ModelCommandsTest, BuildWritesTheSameFilesEveryTime) {
  ASSERT_EQ(Build().exit_code, 0);
  std::vector<std::string> first;
  const std::vector<std::string> names = {"libtiny.so", "tiny.h", "manifest.json", "example.c"};
  for (const std::string& name : names) first.push_back(*ReadFile(Path("out/" + name)));
  ASSERT_EQ(Build().exit_code, 0);
  for (size_t i = 0; i < names.size(); ++i) EXPECT_EQ(*ReadFile(Path("out/" + names[i])), first[i]) << names[i];
}

TEST_F(ModelCommandsTest, RunReportsTimesOfModelAndKernels) {
  ASSERT_EQ(Build().exit_code, 0);
  const ProgramResult result = RunTilth({"run", Path("out"), "--threads", "1", "--repeat", "5", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const Json json = Json::parse(result.out);
  EXPECT_EQ(json["threads"], 1);
  EXPECT_GT(json["median_ns"], 0);
  EXPECT_LE(json["p10_ns"], json["median_ns"]);
  EXPECT_LE(json["median_ns"], json["p90_ns"]);
  ASSERT_EQ(json["kernels"].size(), 1u);
  EXPECT_EQ(json["kernels"][0]["tuned"], false);
  EXPECT_TRUE(json["kernels"][0].contains("median_ns"));
}

TEST_F(ModelCommandsTest, RunComparesWithExpectedOutputs) {
  ASSERT_EQ(Build().exit_code, 0);
  const std::string input = Path("test_data_set_0/input_0.pb");
  EXPECT_EQ(
      RunTilth({"run", Path("out"), "--inputs", input, "--expect", Path("test_data_set_0/output_0.pb")}).exit_code, 0);
  const ProgramResult wrong = RunTilth({"run", "--inputs", input, "--expect", input, Path("out")});
  EXPECT_EQ(wrong.exit_code, 1);
  EXPECT_THAT(wrong.err, HasSubstr("output y is not as expected: element [0] is 0, expected -2"));
}

TEST_F(ModelCommandsTest, CMakeProjectLinksAModel) {
  const std::string project = Path("project");
  ASSERT_TRUE(MakeDirectories(project).ok());
  const std::pair<const char*, const char*> files[] = {{"project.cmake", "CMakeLists.txt"}, {"app.c", "app.c"}};
  for (const auto& [source, name] : files) {
    const auto text = ReadFile(StrCat(TILTH_SOURCE_DIR "/tests/e2e/add_model_project/", source));
    ASSERT_TRUE(text.ok()) << text.status();
    Write(StrCat("project/", name), *text);
  }
  Write("project/tiny.onnx", BiasReluModel({1, 0, -1, 0.5f}));
  const auto run = [](std::vector<std::string> argv) {
    const auto output = RunSubprocess(
        {.argv = std::move(argv), .stdout_to = ChildStream::kCapture, .stderr_to = ChildStream::kCapture}, "", 120'000);
    EXPECT_TRUE(output.ok() && output->exit.Success())
        << (output.ok() ? output->stdout_text + output->stderr_text : "");
    return output.ok() ? output->stdout_text : "";
  };
  run({"cmake", "-G", "Ninja", "-S", project, "-B", project + "/build", "-DTilth_DIR=" TILTH_SOURCE_DIR "/deploy/cmake",
       "-DTILTH_EXECUTABLE=" TILTH_BINARY_DIR "/bin/tilth"});
  run({"cmake", "--build", project + "/build"});
  EXPECT_EQ(run({project + "/build/app"}), "1 thread: 0 0 0 1.5\n");
}

}  // namespace
}  // namespace tilth
