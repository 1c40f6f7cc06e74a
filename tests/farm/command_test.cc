// `tilth farm` as a user meets it: exit codes, messages, JSON.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "base/files.h"
#include "base/subprocess.h"
#include "db/sqlite.h"
#include "farm/memory_store.h"
#include "farm/tracker_server.h"

namespace tilth {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

SubprocessOutput Tilth(std::vector<std::string> arguments) {
  SubprocessOptions options{.stdout_to = ChildStream::kCapture, .stderr_to = ChildStream::kCapture};
  options.argv = {StrCat(TILTH_BINARY_DIR, "/bin/tilth"), "farm"};
  options.argv.insert(options.argv.end(), arguments.begin(), arguments.end());
  auto output = RunSubprocess(options, "", 60'000);
  EXPECT_TRUE(output.ok()) << output.status();
  return output.value_or(SubprocessOutput{});
}

TEST(FarmCommandTest, UsageErrorsExitWithTwo) {
  EXPECT_EQ(Tilth({}).exit.code, 2);
  EXPECT_EQ(Tilth({"drain"}).exit.code, 2);
  EXPECT_EQ(Tilth({"serve", "--lease-ms", "soon"}).exit.code, 2);
}

TEST(FarmCommandTest, ATrackerThatIsNotThereIsAFailureWithAdvice) {
  const SubprocessOutput output = Tilth({"devices", "--farm", "127.0.0.1:1"});
  EXPECT_EQ(output.exit.code, 1);
  EXPECT_THAT(output.stderr_text, StartsWith("tilth farm devices: error: no tracker answers at 127.0.0.1:1"));
  EXPECT_THAT(output.stderr_text, HasSubstr("start one with `tilth farm serve`"));
}

TEST(FarmCommandTest, ListsAreJsonOnRequestAndSpeakWhenEmpty) {
  MemoryStore store;
  auto server = TrackerServer::Start("127.0.0.1:0", {}, store);
  ASSERT_TRUE(server.ok()) << server.status();
  const std::string address = StrCat("127.0.0.1:", (*server)->port());
  EXPECT_EQ(Tilth({"devices", "--farm", address, "--json"}).stdout_text, "{\n  \"devices\": []\n}\n");
  EXPECT_EQ(Tilth({"jobs", "--farm", address, "--json"}).stdout_text, "{\n  \"jobs\": []\n}\n");
  EXPECT_THAT(Tilth({"devices", "--farm", address}).stdout_text, HasSubstr("start tilth-agent"));
  const SubprocessOutput drain = Tilth({"drain", "nobody", "--farm", address});
  EXPECT_EQ(drain.exit.code, 1);
  EXPECT_THAT(drain.stderr_text, HasSubstr("'nobody'"));
}

TEST(FarmCommandTest, ServeTellsItsPortAndEndsCleanlyOnASignal) {
  auto dir = TempDir::Create();
  ASSERT_TRUE(dir.ok());
  auto tracker =
      Subprocess::Start({.argv = {StrCat(TILTH_BINARY_DIR, "/bin/tilth"), "farm", "serve", "--listen", "127.0.0.1:0",
                                  "--state", dir->File("state"), "--port-file", dir->File("port")},
                         .stdout_to = ChildStream::kDiscard});
  ASSERT_TRUE(tracker.ok()) << tracker.status();
  while (!FileExists(dir->File("port"))) {
    ASSERT_FALSE((*tracker)->Wait(10).ok()) << "it ended before it listened";
  }
  const std::string port = *ReadFile(dir->File("port"));
  EXPECT_EQ(Tilth({"jobs", "--farm", StrCat("127.0.0.1:", port.substr(0, port.size() - 1))}).exit.code, 0);
  (*tracker)->Kill(SIGTERM);
  auto exit = (*tracker)->Wait(60'000);
  ASSERT_TRUE(exit.ok());
  EXPECT_TRUE(exit->Success()) << exit->Describe();
}

TEST(FarmCommandTest, ServeRefusesAStateOfAnotherVersion) {
  auto dir = TempDir::Create();
  ASSERT_TRUE(dir.ok());
  ASSERT_TRUE((*sqlite::Database::Open(dir->File("tracker.db")))->SetUserVersion(42).ok());
  const SubprocessOutput output = Tilth({"serve", "--listen", "127.0.0.1:0", "--state", dir->path()});
  EXPECT_EQ(output.exit.code, 1);
  EXPECT_THAT(output.stderr_text, HasSubstr("version 42"));
}

}  // namespace
}  // namespace tilth
