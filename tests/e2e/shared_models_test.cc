// Whole networks against the outputs of another runtime, through the program. The models lie beside the source tree;
// where they do not, the tests say so and pass.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/support/tilth_program.h"

namespace tilth {
namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

constexpr char kArmRunner[] = TILTH_SOURCE_DIR "/build/arm64/bin/tilth-runner";
constexpr char kArmLoader[] = "/lib/ld-linux-aarch64.so.1";

// The directory of a test case, or nothing.
fs::path FindModel(const std::string& name) {
  const char* const given = std::getenv("TILTH_SHARED");
  const fs::path shared = given != nullptr ? fs::path(given) : fs::path(TILTH_SOURCE_DIR) / "../shared";
  const fs::path directory = shared / "models" / name;
  return fs::exists(directory / "model.onnx") ? directory : fs::path();
}

void ExpectCheckPasses(const fs::path& directory, std::vector<std::string> more) {
  std::vector<std::string> arguments = {"check", directory.string(), "--json"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const ProgramResult result = RunTilth(arguments);
  ASSERT_EQ(result.exit_code, 0) << result.err << result.out;
  const Json json = Json::parse(result.out);
  EXPECT_EQ(json["passed"], true);
  EXPECT_FALSE(json["outputs"].empty());
}

class SharedModelTest : public testing::TestWithParam<std::tuple<const char*, const char*>> {};

TEST_P(SharedModelTest, ComputesWhatIsExpected) {
  const auto [name, threads] = GetParam();
  const fs::path directory = FindModel(name);
  if (directory.empty()) GTEST_SKIP() << "no shared models beside the source; set TILTH_SHARED";
  ExpectCheckPasses(directory, {"--threads", threads});
}

INSTANTIATE_TEST_SUITE_P(
    Models, SharedModelTest,
    testing::Combine(testing::Values("light_resnet50", "light_squeezenet", "squeezenet_random", "ultraface_rfb_320"),
                     testing::Values("1", "2")),
    [](const auto& info) { return std::string(std::get<0>(info.param)) + "_" + std::get<1>(info.param) + "_threads"; });

class EmulatedModelTest : public testing::TestWithParam<const char*> {};

TEST_P(EmulatedModelTest, ArmBuildComputesWhatIsExpected) {
  const fs::path directory = FindModel("ultraface_rfb_320");
  if (directory.empty()) GTEST_SKIP() << "no shared models beside the source; set TILTH_SHARED";
  if (!fs::exists(kArmRunner) || !fs::exists(kArmLoader)) GTEST_SKIP() << "scripts/build-arm64 has not been run";
  ExpectCheckPasses(
      directory, {"--target", "rpi4", "--threads", GetParam(), "--runner", std::string("qemu-aarch64 ") + kArmRunner});
}

INSTANTIATE_TEST_SUITE_P(Threads, EmulatedModelTest, testing::Values("1", "2"),
                         [](const auto& info) { return std::string("on_") + info.param + "_threads"; });

}  // namespace
}  // namespace tilth
