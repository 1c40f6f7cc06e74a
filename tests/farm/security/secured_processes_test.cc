// A secured farm as people and boards meet it: the programs, their messages and exit codes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "absl/strings/str_split.h"
#include "base/files.h"
#include "base/strings.h"
#include "base/subprocess.h"

namespace tilth {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class SecuredProcessesTest : public ::testing::Test {
 protected:
  SubprocessOutput Run(const std::string& program, const std::vector<std::string>& arguments,
                       const std::string& identity = "admin") {
    SubprocessOptions options{.stdout_to = ChildStream::kCapture, .stderr_to = ChildStream::kCapture};
    options.argv = {StrCat(TILTH_BINARY_DIR, "/bin/", program)};
    options.argv.insert(options.argv.end(), arguments.begin(), arguments.end());
    options.environment = {{"XDG_CONFIG_HOME", dir_.path()},
                           {"TILTH_IDENTITY", identity.empty() ? "" : dir_.File(identity)}};
    auto output = RunSubprocess(options, "", 60'000);
    EXPECT_TRUE(output.ok()) << output.status();
    return output.value_or(SubprocessOutput{});
  }
  SubprocessOutput Farm(std::vector<std::string> arguments, const std::string& identity = "admin") {
    arguments.insert(arguments.begin(), "farm");
    return Run("tilth", arguments, identity);
  }

  void Init() {
    const SubprocessOutput output = Farm({"init", "--state", dir_.File("state"), "--name", "lab", "--admin", "root"});
    ASSERT_EQ(output.exit.code, 0) << output.stderr_text;
  }

  void Serve(const std::vector<std::string>& more = {}) {
    ASSERT_TRUE(RemoveFile(dir_.File("port")).ok());
    SubprocessOptions options{.stdout_to = ChildStream::kDiscard};
    options.argv = {StrCat(TILTH_BINARY_DIR, "/bin/tilth"),
                    "farm",
                    "serve",
                    "--listen",
                    "127.0.0.1:0",
                    "--state",
                    dir_.File("state"),
                    "--port-file",
                    dir_.File("port"),
                    "--lease-ms",
                    "400",
                    "--no-quarantine"};
    options.argv.insert(options.argv.end(), more.begin(), more.end());
    auto tracker = Subprocess::Start(options);
    ASSERT_TRUE(tracker.ok()) << tracker.status();
    tracker_ = std::move(*tracker);
    while (!FileExists(dir_.File("port"))) ASSERT_FALSE(tracker_->Wait(10).ok()) << "it ended before it listened";
    const std::string port = *ReadFile(dir_.File("port"));
    address_ = StrCat("127.0.0.1:", port.substr(0, port.size() - 1));
  }

  // The arguments of the command that `enroll` prints, without the program.
  std::vector<std::string> Enroll(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"enroll", "--farm", address_});
    const SubprocessOutput output = Farm(arguments);
    EXPECT_EQ(output.exit.code, 0) << output.stderr_text;
    const std::vector<std::string> words = absl::StrSplit(output.stdout_text, absl::ByAnyChar(" \n"));
    return {"join", address_, "--token", words.size() > 2 ? words[words.size() - 2] : ""};
  }

  bool AuditSays(const std::string& what) {
    const auto log = ReadFile(dir_.File("state/audit.log"));
    return log.ok() && log->find(what) != std::string::npos;
  }

  const TempDir dir_ = *TempDir::Create();
  std::unique_ptr<Subprocess> tracker_;
  std::string address_;
};

TEST_F(SecuredProcessesTest, ABoardJoinsWithThePrintedCommandAndRenewsItsCertificateByItself) {
  Init();
  Serve({"--certificate-lifetime", "3s"});
  std::vector<std::string> join = Enroll({"--class", "rpi4"});
  join.insert(join.end(), {"--work-dir", dir_.File("board")});
  const SubprocessOutput joined = Run("tilth-agent", join, "");
  ASSERT_EQ(joined.exit.code, 0) << joined.stderr_text;
  EXPECT_THAT(joined.stdout_text, HasSubstr("as a device of class rpi4"));
  auto agent =
      Subprocess::Start({.argv = {StrCat(TILTH_BINARY_DIR, "/bin/tilth-agent"), "--work-dir", dir_.File("board")}});
  ASSERT_TRUE(agent.ok()) << agent.status();
  while (!AuditSays("\"action\":\"renew\"")) ASSERT_FALSE((*agent)->Wait(50).ok()) << "the agent has ended";
  // It is idle with the new one.
  const auto idle = [&] { return Farm({"devices", "--farm", address_}).stdout_text; };
  std::string devices = idle();
  while (devices.find("idle") == std::string::npos) {
    ASSERT_FALSE((*agent)->Wait(50).ok()) << "the agent has ended: " << devices;
    devices = idle();
  }
  EXPECT_THAT(devices, HasSubstr("rpi4"));
  join[4] = "--work-dir";
  join[5] = dir_.File("another");
  const SubprocessOutput replayed = Run("tilth-agent", join, "");
  EXPECT_EQ(replayed.exit.code, 1);
  EXPECT_THAT(replayed.stderr_text, HasSubstr("used already"));
}

TEST_F(SecuredProcessesTest, PeopleJoinAreRefusedWhatIsNotTheirsAndAreShutOut) {
  Init();
  Serve();
  const std::vector<std::string> join = Enroll({"--role", "submitter", "--name", "alice", "--expires", "10m"});
  std::vector<std::string> arguments = join;
  const SubprocessOutput joined = Farm(arguments, "alice");
  ASSERT_EQ(joined.exit.code, 0) << joined.stderr_text;
  EXPECT_THAT(joined.stdout_text, HasSubstr("as alice, submitter"));
  EXPECT_EQ(Farm({"jobs", "--farm", address_}, "alice").exit.code, 0);
  const SubprocessOutput enroll = Farm({"enroll", "--class", "c", "--farm", address_}, "alice");
  EXPECT_EQ(enroll.exit.code, 1);
  EXPECT_THAT(enroll.stderr_text, HasSubstr("takes the role admin"));
  EXPECT_EQ(Farm({"revoke", "alice", "--farm", address_}).exit.code, 0);
  const SubprocessOutput jobs = Farm({"jobs", "--farm", address_}, "alice");
  EXPECT_EQ(jobs.exit.code, 1);
  EXPECT_THAT(jobs.stderr_text, HasSubstr("has been revoked"));
}

TEST_F(SecuredProcessesTest, WhoHasNotJoinedIsToldHow) {
  Init();
  Serve();
  const SubprocessOutput jobs = Farm({"jobs", "--farm", address_}, "");
  EXPECT_EQ(jobs.exit.code, 1);
  EXPECT_THAT(jobs.stderr_text, AllOf(HasSubstr("speaks TLS, this side plain text"), HasSubstr("tilth farm join")));
  const SubprocessOutput agent =
      Run("tilth-agent", {"--tracker", address_, "--device-class", "c", "--work-dir", dir_.File("board")}, "");
  EXPECT_EQ(agent.exit.code, 1);
  EXPECT_THAT(agent.stderr_text, HasSubstr("tilth-agent join"));
  EXPECT_THAT(Run("tilth-agent", {"--work-dir", dir_.File("fresh")}, "").stderr_text,
              HasSubstr("no farm has been joined"));
}

TEST_F(SecuredProcessesTest, AnAdministratorComesBackThroughTheState) {
  Init();
  Serve();
  ASSERT_TRUE(RemoveFile(dir_.File("admin/identity.pem")).ok());
  const SubprocessOutput output =
      Farm({"enroll", "--state", dir_.File("state"), "--role", "admin", "--name", "rescue", "--json"}, "");
  ASSERT_EQ(output.exit.code, 0) << output.stderr_text;
  const size_t begin = output.stdout_text.find("tilth1.");
  const std::string token = output.stdout_text.substr(begin, output.stdout_text.find('"', begin) - begin);
  EXPECT_EQ(Farm({"join", address_, "--token", token}).exit.code, 0);
  EXPECT_EQ(Farm({"enroll", "--class", "c", "--farm", address_}).exit.code, 0);
}

TEST_F(SecuredProcessesTest, ServeListensInTheClearOnlyWhereItMay) {
  const SubprocessOutput once =
      Farm({"serve", "--state", dir_.File("state"), "--listen", "0.0.0.0:0", "--insecure"}, "");
  EXPECT_EQ(once.exit.code, 1);
  EXPECT_THAT(once.stderr_text, StartsWith("tilth farm serve: error: refusing to listen at 0.0.0.0:0 in the clear"));
  EXPECT_EQ(Farm({"serve", "--listen", "0.0.0.0:0", "--yes-in-the-clear"}, "").exit.code, 2);
  Init();
  EXPECT_THAT(Farm({"serve", "--state", dir_.File("state"), "--insecure", "--yes-in-the-clear"}, "").stderr_text,
              HasSubstr("initialised for TLS"));
  EXPECT_THAT(Farm({"init", "--state", dir_.File("state")}).stderr_text, HasSubstr("there already"));
}

}  // namespace
}  // namespace tilth
