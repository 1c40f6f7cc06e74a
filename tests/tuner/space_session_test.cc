// A kernel author's own space, with real child processes.
#include "tuner/space_session.h"

#include "base/files.h"
#include "db/tuning_log.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/support/tilth_program.h"
#include "tuner/space_runner.h"

namespace tilth {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

// Prints a time that depends on the parameters; X = 16 fails.
constexpr char kShellSpace[] = R"({"name": "shell", "parameters": {"X": [1, 2, 4, 8, 16], "Y": [1, 2, 4]},
  "constraints": ["X * Y <= 32"], "repeats": 1,
  "command": ["sh", "-c", "test {X} -ne 16 || { echo too wide >&2; exit 3; }; echo time: $(( ({X} - 4) * ({X} - 4) + {Y} )) ms"]})";

constexpr char kSourceSpace[] = R"({"parameters": {"N": [1, 2, 3]}, "source": "kernel.c", "repeats": 2})";
constexpr char kSource[] = R"(#include <stdio.h>
#if N == 3
#error three is not supported
#endif
int main(void) { printf("%d us\n", 7 - 2 * N); return 0; }
)";

class SpaceSessionTest : public ::testing::Test {
 protected:
  std::string Write(const std::string& name, const std::string& text) {
    const std::string path = directory_.File(name);
    EXPECT_TRUE(WriteFile(path, text).ok());
    return path;
  }
  SpaceTuneSummary Tune(const std::string& path, int trials) {
    const auto document = ReadSpaceDocument(path);
    EXPECT_TRUE(document.ok()) << document.status();
    const auto summary =
        TuneSpace(*document, {.path = path, .log_path = directory_.File("log.db"), .trials = trials}, nullptr, nullptr);
    EXPECT_TRUE(summary.ok()) << summary.status();
    return summary.value_or(SpaceTuneSummary());
  }
  TempDir directory_ = TempDir::Create("space").value();
};

TEST_F(SpaceSessionTest, FindsTheBestPointAndContinues) {
  const std::string path = Write("space.json", kShellSpace);
  const SpaceTuneSummary some = Tune(path, 6);
  EXPECT_EQ(some.trials, 6);
  EXPECT_EQ(some.stopped_because, "the trials are used up");
  const SpaceTuneSummary all = Tune(path, 100);
  EXPECT_EQ(all.trials, 14);
  EXPECT_EQ(all.stopped_because, "the whole space is measured");
  EXPECT_EQ(all.best, R"({"X":"4","Y":"1"})");
  EXPECT_EQ(all.best_ns, 1e6);
  EXPECT_EQ(all.failures.at("run crash"), 2);
  const SpaceTuneSummary again = Tune(path, 100);
  EXPECT_EQ(again.best, all.best);
  EXPECT_EQ(again.trials, 14);

  const auto log = TuningLog::Open(directory_.File("log.db"));
  ASSERT_TRUE(log.ok());
  EXPECT_EQ((*log)->Count({}).value(), 14);
  EXPECT_EQ((*log)->Sessions()->size(), 2u);  // the third had nothing to do
  EXPECT_TRUE((*log)->Verify()->empty());
  EXPECT_TRUE((*log)
                  ->ForEachRecord({.status = "run crash"},
                                  [](const TuningRecord& record) {
                                    EXPECT_THAT(record.detail, HasSubstr("exited with status 3: too wide"));
                                    return absl::OkStatus();
                                  })
                  .ok());
}

TEST_F(SpaceSessionTest, CompilesSourcesWithTheParametersAsMacros) {
  Write("kernel.c", kSource);
  const SpaceTuneSummary summary = Tune(Write("space.json", kSourceSpace), 10);
  EXPECT_EQ(summary.best, R"({"N":"2"})");
  EXPECT_EQ(summary.best_ns, 3000);
  EXPECT_EQ(summary.failures.at("compile"), 1);
}

TEST_F(SpaceSessionTest, WallTimeCountsWhereNoTimeIsPrintedAndSlowPointsAreFailures) {
  const std::string path = Write(
      "space.json", R"({"parameters": {"S": [0, 30]}, "command": ["sleep", "{S}"], "repeats": 1, "timeout_s": 0.5})");
  const SpaceTuneSummary summary = Tune(path, 10);
  EXPECT_EQ(summary.best, R"({"S":"0"})");
  EXPECT_GT(summary.best_ns, 0);
  EXPECT_EQ(summary.failures.at("run timeout"), 1);
}

TEST_F(SpaceSessionTest, EndsWhenItIsAskedTo) {
  const auto document = ReadSpaceDocument(Write("space.json", kShellSpace));
  ASSERT_TRUE(document.ok());
  const std::atomic<bool> stop = true;
  const auto summary = TuneSpace(*document, {.log_path = directory_.File("log.db")}, nullptr, &stop);
  ASSERT_TRUE(summary.ok());
  EXPECT_TRUE(summary->interrupted);
  EXPECT_EQ(summary->trials, 0);
}

TEST_F(SpaceSessionTest, ProgramThatIsNotThereIsAnError) {
  const auto document =
      ReadSpaceDocument(Write("space.json", R"({"parameters": {"X": [1]}, "command": ["./no-such-program"]})"));
  ASSERT_TRUE(document.ok());
  const auto summary = TuneSpace(*document, {.log_path = directory_.File("log.db")}, nullptr, nullptr);
  EXPECT_THAT(std::string(summary.status().message()), HasSubstr("no-such-program"));
}

TEST_F(SpaceSessionTest, DocumentsSayWhatIsWrongWithThem) {
  const auto error = [&](const std::string& text) {
    const std::string path = Write("bad.json", text);
    const std::string message(ReadSpaceDocument(path).status().message());
    EXPECT_EQ(message.find(path + ": "), 0u) << message;
    return message.substr(std::min(message.size(), path.size() + 2));
  };
  EXPECT_EQ(error("{"), "not a JSON object");
  EXPECT_EQ(error(R"({"parameters": {"X": [1]}})"),
            "give either a \"command\" to run or a C \"source\" to compile and run");
  EXPECT_EQ(error(R"({"parameters": {"X": [1]}, "command": "x"})"),
            "\"command\" must be a list of texts, program first");
  EXPECT_EQ(error(R"({"parameters": {"X": [1]}, "source": "no.c"})"), "\"source\": there is no file no.c beside it");
  EXPECT_EQ(error(R"({"parameters": {"X": [1]}, "command": ["x"], "repeats": 0})"),
            "\"repeats\" must be an integer from 1 to 1000");
  EXPECT_EQ(error(R"({"parameters": {"X": [1]}, "command": ["x"], "timeout_s": "1"})"),
            "\"timeout_s\" must be a number of seconds from 0.001 to 1000000");
  EXPECT_EQ(error(R"({"parameters": {"X": [1]}, "command": ["x"], "timeout_s": 1e300})"),
            "\"timeout_s\" must be a number of seconds from 0.001 to 1000000");
  EXPECT_EQ(error(R"({"parameters": {"X": ["a\u0000b"]}, "command": ["x"]})"),
            "parameter X: a value has a character of code 0, which no command line can have");
  const std::string deep = std::string(300'000, '[') + std::string(300'000, ']');
  EXPECT_EQ(error(StrCat("{\"parameters\": {\"X\": [", deep, "]}}")).find("JSON nested more than 100 deep"), 0u);
  EXPECT_EQ(error(R"({"parameters": {"X": [1]}, "comand": ["x"]})"), "\"comand\" means nothing here");
}

TEST(PrintedNs, TakesTheLastLineWithATime) {
  EXPECT_EQ(PrintedNs("time: 1.5 ms\n"), 1.5e6);
  EXPECT_EQ(PrintedNs("warming up\n  time=2 us  \nbye"), 2000);
  EXPECT_EQ(PrintedNs("3ns\n4 s\n"), 4e9);
  EXPECT_EQ(PrintedNs("3ns\n1e308 s\n"), 3);
  EXPECT_EQ(PrintedNs("5\nsteps\n-1 ms\nnan ms\ntimes 3 s\n"), 0);
}

TEST_F(SpaceSessionTest, CommandPrintsOneDocument) {
  const std::string path = Write("space.json", kShellSpace), log = directory_.File("command.db");
  const ProgramResult result = RunTilth({"tune", path, "--log", log, "--trials", "100", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const Json json = Json::parse(result.out);
  EXPECT_EQ(json["best"], (Json{{"X", "4"}, {"Y", "1"}}));
  EXPECT_EQ(json["points"], 14);
  EXPECT_EQ(json["trials"], 14);
  EXPECT_EQ(RunTilth({"log", "stats", log}).exit_code, 0);
  const ProgramResult farm = RunTilth({"tune", path, "--log", log, "--target", "rpi4"});
  EXPECT_EQ(farm.exit_code, 2);
  EXPECT_THAT(farm.err, HasSubstr("measured on this machine"));
}

}  // namespace
}  // namespace tilth
