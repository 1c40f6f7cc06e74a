#include "base/subprocess.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <thread>

#include "base/files.h"

namespace tilth {
namespace {

using ::testing::HasSubstr;

SubprocessOptions Shell(const std::string& script) {
  return {.argv = {"sh", "-c", script}, .stdout_to = ChildStream::kCapture, .stderr_to = ChildStream::kCapture};
}

TEST(SubprocessTest, FeedsInputAndCollectsEveryStream) {
  SubprocessOptions options = Shell("cat; echo err >&2; echo result >&3; exit 7");
  options.result_pipe = true;
  auto output = RunSubprocess(options, "input", 10'000);
  ASSERT_TRUE(output.ok()) << output.status();
  EXPECT_EQ(output->stdout_text, "input");
  EXPECT_EQ(output->stderr_text, "err\n");
  EXPECT_EQ(output->result_bytes, "result\n");
  EXPECT_EQ(output->exit.Describe(), "exited with status 7");
}

TEST(SubprocessTest, MoreInputAndOutputThanPipesHoldDoesNotDeadlock) {
  const std::string big(1 << 20, 'x');
  auto output = RunSubprocess(Shell("cat"), big, 60'000);
  ASSERT_TRUE(output.ok());
  EXPECT_EQ(output->stdout_text, big);
}

TEST(SubprocessTest, ChildThatNeverReadsItsInputEnds) {
  const std::string big(1 << 20, 'x');
  auto output = RunSubprocess(Shell("exit 0"), big, 60'000);
  ASSERT_TRUE(output.ok());
  EXPECT_TRUE(output->exit.Success());
}

TEST(SubprocessTest, OutputBeyondTheLimitIsDroppedButRead) {
  auto output = RunSubprocess(Shell("head -c 1000000 /dev/zero"), "", 60'000, 100);
  ASSERT_TRUE(output.ok());
  EXPECT_EQ(output->stdout_text.size(), 100u);
  EXPECT_TRUE(output->exit.Success());
}

TEST(SubprocessTest, DeadlineKillsTheWholeGroup) {
  auto output = RunSubprocess(Shell("sleep 1000 & sleep 1000"), "", 50);
  ASSERT_TRUE(output.ok());
  EXPECT_TRUE(output->exit.deadline_passed);
  EXPECT_EQ(output->exit.Describe(), "did not end in time");
}

TEST(SubprocessTest, DeathBySignalIsToldApart) {
  auto output = RunSubprocess(Shell("kill -SEGV $$"), "", 10'000);
  ASSERT_TRUE(output.ok());
  EXPECT_TRUE(output->exit.signalled);
  EXPECT_EQ(output->exit.code, SIGSEGV);
}

TEST(SubprocessTest, MissingProgramIsAnErrorThatNamesIt) {
  auto child = Subprocess::Start({.argv = {"/no/such/program"}});
  EXPECT_EQ(child.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(child.status().message()), HasSubstr("/no/such/program"));
}

TEST(SubprocessTest, ChildOutlivesTheThreadThatStartedIt) {
  StatusOr<std::unique_ptr<Subprocess>> child = absl::UnknownError("");
  std::thread([&] { child = Subprocess::Start({.argv = {"sleep", "1000"}}); }).join();
  ASSERT_TRUE(child.ok()) << child.status();
  EXPECT_EQ((*child)->Wait(50).status().code(), absl::StatusCode::kDeadlineExceeded);
  (*child)->Kill(SIGTERM);
  auto exit = (*child)->Wait(10'000);
  ASSERT_TRUE(exit.ok());
  EXPECT_EQ(exit->code, SIGTERM);
}

TEST(SubprocessTest, LimitsApplyToTheChild) {
  auto dir = TempDir::Create();
  ASSERT_TRUE(dir.ok());
  SubprocessOptions options = Shell("head -c 100000 /dev/zero > " + dir->File("big"));
  options.limits.file_size_bytes = 4096;
  auto output = RunSubprocess(options, "", 10'000);
  ASSERT_TRUE(output.ok());
  EXPECT_FALSE(output->exit.Success());
  EXPECT_EQ(ReadFile(dir->File("big"))->size(), 4096u);
}

TEST(SubprocessTest, EnvironmentIsAddedAndReplaced) {
  SubprocessOptions options = Shell("echo $HOME $TILTH_TEST");
  options.environment = {{"HOME", "here"}, {"TILTH_TEST", "there"}};
  auto output = RunSubprocess(options, "", 10'000);
  ASSERT_TRUE(output.ok());
  EXPECT_EQ(output->stdout_text, "here there\n");
}

}  // namespace
}  // namespace tilth
