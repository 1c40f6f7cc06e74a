// `tilth tune` as a process that is interrupted and killed.
#include <signal.h>

#include <fstream>
#include <set>
#include <thread>

#include "base/clock.h"
#include "base/files.h"
#include "base/subprocess.h"
#include "db/tuning_log.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/compiler/onnx/model_builder.h"
#include "tests/support/tilth_program.h"

namespace tilth {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kDeadlineMs = 120'000;

class TuneCommandTest : public ::testing::Test {
 protected:
  TuneCommandTest() : directory_(TempDir::Create("tune").value()), log_(directory_.File("log.db")) {
    testing::ModelBuilder builder;
    builder.Input("x", {1, 8, 20, 20})
        .Weights("w1", {16, 8, 3, 3})
        .Node("Conv", {"x", "w1"}, {"a"})
        .Attribute("pads", std::vector<int64_t>{1, 1, 1, 1})
        .Node("Relu", {"a"}, {"b"})
        .Weights("w2", {24, 16, 1, 1}, 2)
        .Node("Conv", {"b", "w2"}, {"y"})
        .Output("y");
    model_ = directory_.File("model.onnx");
    EXPECT_TRUE(WriteFile(model_, builder.Serialize()).ok());
  }

  std::vector<std::string> Arguments(int trials) {
    return {"tune", model_, "--log", log_, "--json", "--trials", absl::StrCat(trials)};
  }

  std::unique_ptr<Subprocess> Start(int trials) {
    SubprocessOptions options;
    options.argv = {std::string(TILTH_BINARY_DIR) + "/bin/tilth"};
    for (const std::string& argument : Arguments(trials)) options.argv.push_back(argument);
    options.stdout_to = ChildStream::kDiscard;
    options.stderr_to = ChildStream::kDiscard;
    auto process = Subprocess::Start(options);
    EXPECT_TRUE(process.ok()) << process.status();
    return *std::move(process);
  }

  std::set<std::string> TrialIds() {
    std::set<std::string> ids;
    const auto log = TuningLog::Open(log_, {.mode = TuningLog::Mode::kReadOnly});
    if (!log.ok()) return ids;  // not made yet
    const Status status = (*log)->ForEachRecord({}, [&](const TuningRecord& record) {
      ids.insert(record.trial_id);
      return absl::OkStatus();
    });
    EXPECT_TRUE(status.ok()) << status;
    return ids;
  }

  // Until the running session has recorded `count` trials.
  void WaitForRecords(size_t count) {
    const int64_t deadline_ns = SystemClock().NowNs() + kDeadlineMs * 1'000'000;
    while (TrialIds().size() < count) {
      ASSERT_LT(SystemClock().NowNs(), deadline_ns) << "the session records nothing";
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }

  nlohmann::json Finish(int trials) {
    const ProgramResult result = RunTilth(Arguments(trials));
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return nlohmann::json::parse(result.out, nullptr, /*allow_exceptions=*/false);
  }

  TempDir directory_;
  std::string model_, log_;
};

std::vector<pid_t> ChildrenOf(pid_t pid) {
  std::vector<pid_t> children;
  for (const std::string& thread :
       ListDirectory(absl::StrCat("/proc/", pid, "/task")).value_or(std::vector<std::string>())) {
    std::ifstream file(absl::StrCat("/proc/", pid, "/task/", thread, "/children"));
    for (pid_t child = 0; file >> child;) children.push_back(child);
  }
  return children;
}

TEST_F(TuneCommandTest, PrintsOneJsonDocumentAndTheTableElsewhere) {
  const ProgramResult result = RunTilth(Arguments(8));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto document = nlohmann::json::parse(result.out, nullptr, false);
  ASSERT_TRUE(document.is_object()) << result.out;
  EXPECT_EQ(document["trials"], 8);
  EXPECT_GE(document["tasks"].size(), 2u);
  EXPECT_GT(document["model"]["default_ns"], 0);
  EXPECT_THAT(result.err, HasSubstr("GFLOP/s"));
}

TEST_F(TuneCommandTest, KilledSessionLosesNothingAndContinues) {
  const auto process = Start(60);
  WaitForRecords(10);
  process->Kill(SIGKILL);
  ASSERT_TRUE(process->Wait(kDeadlineMs).ok());
  const std::set<std::string> before = TrialIds();
  const auto document = Finish(60);
  const std::set<std::string> after = TrialIds();
  for (const std::string& id : before) EXPECT_TRUE(after.contains(id));
  EXPECT_EQ(document["trials"], 60);
}

TEST_F(TuneCommandTest, InterruptedSessionEndsWithAnErrorAndContinues) {
  const auto process = Start(5000);
  WaitForRecords(5);
  process->Kill(SIGINT);  // to the whole group, as a terminal does
  const auto exit = process->Wait(kDeadlineMs);
  ASSERT_TRUE(exit.ok()) << exit.status();
  EXPECT_FALSE(exit->signalled);
  EXPECT_EQ(exit->code, 1);
  const auto more = static_cast<int>(TrialIds().size()) + 5;
  EXPECT_EQ(Finish(more)["trials"], more);
}

TEST_F(TuneCommandTest, SurvivesTheDeathOfItsTrackerAndAgent) {
  const auto process = Start(40);
  for (const size_t records : {4, 12, 20}) {
    WaitForRecords(records);
    for (const pid_t child : ChildrenOf(process->pid())) kill(child, SIGKILL);
  }
  const auto exit = process->Wait(kDeadlineMs);
  ASSERT_TRUE(exit.ok()) << exit.status();
  EXPECT_TRUE(exit->Success()) << exit->Describe();
  EXPECT_EQ(Finish(40)["trials"], 40);
}

TEST_F(TuneCommandTest, BadUsageIsToldWithExitCodeTwo) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"tune", model_}, "--log"},
      {{"tune", model_, "--log", log_, "--trials", "0"}, "--trials"},
      {{"tune", model_, "--log", log_, "--time-budget", "soon"}, "10m"},
      {{"tune", model_, "--log", log_, "--farm", "localhost:1"}, "--device"},
      {{"tune", model_, "--log", log_, "--device", "rpi4"}, "--farm"},
      // Only models have targets and kernels.
      {{"tune", "space.json", "--log", log_, "--target", "rpi4"}, "--target"},
      {{"tune", "space.json", "--log", log_, "--tasks", "conv"}, "--tasks"},
  };
  for (const auto& [arguments, expected] : cases) {
    const ProgramResult result = RunTilth(arguments);
    EXPECT_EQ(result.exit_code, 2) << result.err;
    EXPECT_THAT(result.err, HasSubstr(expected));
  }
}

TEST_F(TuneCommandTest, BadInputIsToldWithExitCodeOne) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"tune", directory_.File("absent.onnx"), "--log", log_}, "absent.onnx"},
      {{"tune", model_, "--log", log_, "--target", "abacus"}, "abacus"},
      {{"tune", model_, "--log", directory_.File("no/such/directory/log.db")}, "no/such/directory"},
      {{"tune", model_, "--log", log_, "--tasks", "nothing like it"}, "nothing like it"},
  };
  for (const auto& [arguments, expected] : cases) {
    const ProgramResult result = RunTilth(arguments);
    EXPECT_EQ(result.exit_code, 1) << result.err;
    EXPECT_THAT(result.err, HasSubstr(expected));
  }
}

}  // namespace
}  // namespace tilth
