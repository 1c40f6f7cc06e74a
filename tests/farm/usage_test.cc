// Arguments that can never work: refused before anything is dialled or started, with their name, exit code 2.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/files.h"
#include "base/subprocess.h"

namespace tilth {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

using Arguments = std::vector<std::string>;

constexpr char kNowhere[] = "127.0.0.1:1";
constexpr char kNoText[] = "a\xff";

class UsageTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto directory = TempDir::Create();
    ASSERT_TRUE(directory.ok());
    directory_.emplace(*std::move(directory));
    ASSERT_TRUE(WriteFileAtomically(directory_->File("model.onnx"), "").ok());
  }

  SubprocessOutput Run(const std::string& program, const Arguments& arguments) {
    SubprocessOptions options{.working_directory = directory_->path(),
                              .stdout_to = ChildStream::kCapture,
                              .stderr_to = ChildStream::kCapture};
    options.argv = {StrCat(TILTH_BINARY_DIR, "/bin/", program)};
    options.argv.insert(options.argv.end(), arguments.begin(), arguments.end());
    auto output = RunSubprocess(options, "", 60'000);
    EXPECT_TRUE(output.ok()) << output.status();
    return output.value_or(SubprocessOutput{});
  }

  // Every command that dials a tracker, complete but for its address.
  static std::vector<std::pair<std::string, Arguments>> Dialling(const std::string& address) {
    return {{"tilth", {"farm", "devices", "--farm", address}},
            {"tilth", {"farm", "jobs", "--farm", address}},
            {"tilth", {"farm", "drain", "pi", "--farm", address}},
            {"tilth", {"farm", "reserve", "pi", "--user", "anna", "--farm", address}},
            {"tilth", {"farm", "enroll", "--class", "rpi4", "--farm", address}},
            {"tilth", {"farm", "revoke", "anna", "--farm", address}},
            {"tilth", {"farm", "join", address, "--token", "t"}},
            {"tilth", {"tune", "model.onnx", "--log", "log.db", "--device", "rpi4", "--farm", address}},
            {"tilth-agent", {"--device-class", "rpi4", "--tracker", address}},
            {"tilth-agent", {"join", address, "--token", "t"}}};
  }

  std::optional<TempDir> directory_;
};

TEST_F(UsageTest, AnAddressWithoutAPortIsRefusedByEveryCommandWithTheAddressAsItShouldBe) {
  for (const auto& [program, arguments] : Dialling("lab")) {
    const SubprocessOutput output = Run(program, arguments);
    EXPECT_EQ(output.exit.code, 2) << arguments[1];
    EXPECT_THAT(output.stderr_text, AllOf(HasSubstr("'lab' has no port"), HasSubstr("lab:9190"))) << arguments[1];
  }
}

TEST_F(UsageTest, TextThatIsNotUtf8IsRefusedWithTheNameOfItsArgument) {
  const std::vector<std::tuple<std::string, std::string, Arguments>> cases = {
      {"--device", "tilth", {"farm", "devices", "--device", kNoText}},
      {"DEVICE", "tilth", {"farm", "devices", kNoText}},
      {"DEVICE", "tilth", {"farm", "drain", kNoText}},
      {"DEVICE", "tilth", {"farm", "resume", kNoText}},
      {"--user", "tilth", {"farm", "reserve", "pi", "--user", kNoText}},
      {"--class", "tilth", {"farm", "enroll", "--class", kNoText}},
      {"--name", "tilth", {"farm", "enroll", "--role", "admin", "--name", kNoText}},
      {"--role", "tilth", {"farm", "enroll", "--role", kNoText}},
      {"MEMBER", "tilth", {"farm", "revoke", kNoText}},
      {"token", "tilth", {"farm", "join", kNowhere, "--token", kNoText}},
      {"--admin", "tilth", {"farm", "init", "--admin", kNoText}},
      {"--name", "tilth", {"farm", "init", "--name", kNoText}},
      {"--farm", "tilth", {"farm", "jobs", "--farm", kNoText}},
      {"--device", "tilth", {"tune", "model.onnx", "--log", "l", "--farm", kNowhere, "--device", kNoText}},
      {"--tag", "tilth", {"tune", "model.onnx", "--log", "l", "--farm", kNowhere, "--device", "c", "--tag", kNoText}},
      {"--tracker", "tilth-agent", {"--tracker", kNoText}},
      {"--device-class", "tilth-agent", {"--tracker", kNowhere, "--device-class", kNoText}},
      {"--tag", "tilth-agent", {"--tracker", kNowhere, "--device-class", "c", "--tag", kNoText}},
      {"token", "tilth-agent", {"join", kNowhere, "--token", kNoText}},
  };
  for (const auto& [name, program, arguments] : cases) {
    const SubprocessOutput output = Run(program, arguments);
    EXPECT_EQ(output.exit.code, 2) << name << " of " << arguments[0];
    EXPECT_THAT(output.stderr_text, AllOf(HasSubstr(name), Not(HasSubstr("protobuf")))) << arguments[0];
    EXPECT_LE(std::count(output.stderr_text.begin(), output.stderr_text.end(), '\n'), 2) << output.stderr_text;
  }
}

TEST_F(UsageTest, ValuesThatCannotBeAreUsageErrors) {
  const std::vector<std::tuple<std::string, std::string, Arguments>> cases = {
      {"--expires", "tilth", {"farm", "enroll", "--class", "c", "--expires", "soon"}},
      {"at most 7d", "tilth", {"farm", "enroll", "--class", "c", "--expires", "8d"}},
      {"at least a second", "tilth", {"farm", "enroll", "--class", "c", "--expires", "0s"}},
      {"--class is missing", "tilth", {"farm", "enroll"}},
      {"--name is missing", "tilth", {"farm", "enroll", "--role", "submitter"}},
      {"--name is for people", "tilth", {"farm", "enroll", "--class", "c", "--name", "anna"}},
      {"--class is for devices", "tilth", {"farm", "enroll", "--role", "admin", "--name", "anna", "--class", "c"}},
      {"not a token", "tilth", {"farm", "join", kNowhere, "--token", "tilth1.x"}},
      {"--port", "tilth", {"farm", "init", "--port", "70000"}},
      {"give the host alone", "tilth", {"farm", "init", "--name", "lab:9190"}},
      {"--certificate-lifetime", "tilth", {"farm", "serve", "--certificate-lifetime", "long"}},
      {"--metrics", "tilth", {"farm", "serve", "--metrics", "9191"}},
      {"--metrics", "tilth", {"farm", "serve", "--metrics", "0.0.0.0:9191"}},
      {"--state", "tilth", {"farm", "serve", "--state", ""}},
      {"there is no command 'devics'", "tilth", {"farm", "devics"}},
      {"Did you mean 'devices'?", "tilth", {"farm", "devics"}},
      {"there is no command 'statistics'", "tilth", {"log", "statistics", "log.db"}},
      {"at least 128 MiB", "tilth-agent", {"--tracker", kNowhere, "--device-class", "c", "--memory-limit", "9"}},
      {"tilth-agent: error: ", "tilth-agent", {"bogus"}},
      {"--listen", "tilth", {"farm", "serve", "--listen", "9190"}},
      {"--farm", "tilth", {"tune", "model.onnx", "--log", "l", "--device", "c", "--farm", ""}},
      {"cores that this process may use",
       "tilth-agent",
       {"--tracker", kNowhere, "--device-class", "c", "--core", "4095"}},
      {"not in range 0 to 65535", "tilth-agent", {"--tracker", kNowhere, "--device-class", "c", "--core", "-2"}},
      {"--memory-limit", "tilth-agent", {"--tracker", kNowhere, "--device-class", "c", "--memory-limit", "-2"}},
      {"--runner", "tilth-agent", {"--tracker", kNowhere, "--device-class", "c", "--runner", "gone"}},
      {"--device-class", "tilth-agent", {"--tracker", kNowhere, "--work-dir", "w"}},
      {"--tracker", "tilth-agent", {"--device-class", "c", "--work-dir", "w"}},
  };
  for (const auto& [words, program, arguments] : cases) {
    const SubprocessOutput output = Run(program, arguments);
    EXPECT_EQ(output.exit.code, 2) << words << ": " << output.stderr_text;
    EXPECT_THAT(output.stderr_text, HasSubstr(words));
  }
}

TEST_F(UsageTest, AnAdministratorsNameThatCannotBeLeavesNoAuthorityBehind) {
  EXPECT_EQ(Run("tilth", {"farm", "init", "--state", "farm", "--admin", "a b"}).exit.code, 2);
  EXPECT_FALSE(FileExists(directory_->File("farm/authority")));
}

}  // namespace
}  // namespace tilth
