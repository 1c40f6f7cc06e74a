// A real tilth-runner that serves. The mode `peak` takes a good part of a second, `canary` some milliseconds.
#include "rpc_agent/runner_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <thread>

#include "base/files.h"
#include "rpc_agent/runner/request.h"

namespace tilth {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr int64_t kLongMs = 60'000;
constexpr size_t kMostBytes = 1 << 16;

class RunnerServerTest : public ::testing::Test {
 protected:
  StatusOr<SubprocessOutput> Canary() {
    return server_.Run("canary", runner::FormatCanaryRequest({}), kLongMs, kMostBytes);
  }

  // The only child of this process.
  static pid_t ServerPid() {
    const std::string self = std::to_string(getpid());
    const std::vector<std::string> tasks = ListDirectory(StrCat("/proc/", self, "/task")).value();
    for (const std::string& task : tasks) {
      const std::string children = ReadFile(StrCat("/proc/", self, "/task/", task, "/children")).value_or("");
      if (!children.empty()) return std::stoi(children);
    }
    return 0;
  }

  TempDir directory_ = TempDir::Create().value();
  RunnerServer server_{
      {.program = {StrCat(ProgramDirectory().value(), "/tilth-runner")}, .working_directory = directory_.path()}};
};

TEST_F(RunnerServerTest, EveryRunnerIsAForkOfOneServer) {
  for (int i = 0; i < 3; ++i) {
    const auto output = Canary();
    ASSERT_TRUE(output.ok()) << output.status();
    EXPECT_TRUE(output->exit.Success()) << output->exit.Describe();
    EXPECT_THAT(output->result_bytes, StartsWith("reply {"));
    EXPECT_GT(output->exit.max_rss_bytes, 0);
  }
}

TEST_F(RunnerServerTest, TheExitStatusIsTheRunners) {
  EXPECT_EQ(server_.Run("canary", "no request", kLongMs, kMostBytes)->exit.code, 2);
  EXPECT_EQ(server_.Run("no such mode", "", kLongMs, kMostBytes)->exit.code, 2);
}

TEST_F(RunnerServerTest, DeadlineEndsTheRunnerAndNotTheService) {
  const auto late = server_.Run("peak", "-1", 1, kMostBytes);
  ASSERT_TRUE(late.ok()) << late.status();
  EXPECT_TRUE(late->exit.deadline_passed);
  EXPECT_EQ(late->result_bytes, "");
  EXPECT_TRUE(Canary()->exit.Success());
}

TEST_F(RunnerServerTest, AServerThatWasKilledIsReplaced) {
  ASSERT_TRUE(Canary().ok());
  const pid_t first = ServerPid();
  ASSERT_GT(first, 0);
  kill(first, SIGKILL);
  siginfo_t ended{};
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(first), &ended, WEXITED | WNOWAIT), 0);
  EXPECT_TRUE(Canary()->exit.Success());
  EXPECT_NE(ServerPid(), first);
}

TEST_F(RunnerServerTest, WhoKillsTheServerKillsItsRunner) {
  ASSERT_TRUE(Canary().ok());
  const pid_t server = ServerPid();
  std::thread killer([server] {
    // Its only child is the runner.
    while (ReadFile(StrCat("/proc/", server, "/task/", server, "/children")).value_or("").empty()) {
    }
    kill(server, SIGKILL);
  });
  const auto output = server_.Run("peak", "-1", kLongMs, kMostBytes);
  killer.join();
  ASSERT_TRUE(output.ok()) << output.status();
  EXPECT_TRUE(output->exit.signalled);
  EXPECT_EQ(output->exit.code, SIGKILL);
  EXPECT_FALSE(output->exit.deadline_passed);
}

TEST_F(RunnerServerTest, AProgramThatIsNoRunnerIsAnErrorOrEndsAtOnce) {
  RunnerServer missing({.program = {"/no/such/runner"}, .working_directory = directory_.path()});
  EXPECT_THAT(std::string(missing.Run("canary", "", kLongMs, kMostBytes).status().message()),
              HasSubstr("/no/such/runner"));
  RunnerServer other({.program = {"/bin/false"}, .working_directory = directory_.path()});
  const auto output = other.Run("canary", "", kLongMs, kMostBytes);
  EXPECT_TRUE(!output.ok() || output->exit.code == 1) << output.status();
}

}  // namespace
}  // namespace tilth
