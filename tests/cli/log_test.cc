// `tilth log` on a real file: every action, as text and as JSON.
#include <gmock/gmock.h>

#include <fstream>

#include "nlohmann/json.hpp"
#include "tests/db/log_fixture.h"
#include "tests/support/tilth_program.h"

namespace tilth {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

class LogCommandTest : public LogFixture {
 protected:
  void SetUp() override {
    LogFixture::SetUp();
    auto log = OpenFilledLog();
    ASSERT_TRUE(log->Append({Record("slow", 2e6), Record("fast", 1e6, R"({"tile.n":[2,4,32],"sketch":"gemm"})"),
                             Failure("crashed", "run crash")})
                    .ok());
  }

  json RunJson(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "log");
    arguments.push_back("--json");
    const ProgramResult result = RunTilth(arguments);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    const json document = json::parse(result.out, nullptr, false);
    EXPECT_FALSE(document.is_discarded()) << result.out;
    return document;
  }
};

TEST_F(LogCommandTest, StatsCountsRecordsByStatus) {
  const json document = RunJson({"stats", Path()});
  EXPECT_EQ(document["records"], 3);
  EXPECT_EQ(document["statuses"]["ok"], 2);
  EXPECT_EQ(document["statuses"]["run crash"], 1);
  EXPECT_EQ(document["sessions"].size(), 1);
  EXPECT_EQ(document["sessions"][0]["records"], 3);
  EXPECT_THAT(RunTilth({"log", "stats", Path()}).out, HasSubstr("2 ok, 1 run crash"));
}

TEST_F(LogCommandTest, BestShowsOnePerKernelUnlessMoreAreAskedFor) {
  EXPECT_EQ(RunJson({"best", Path()})["best"].size(), 1);
  const json document = RunJson({"best", Path(), "-k", "5"});
  ASSERT_EQ(document["best"].size(), 2);
  EXPECT_EQ(document["best"][0]["trial_id"], "fast");
  EXPECT_EQ(document["best"][0]["median_ns"], 1e6);
  EXPECT_EQ(document["best"][0]["decisions"]["sketch"], "gemm");
  EXPECT_THAT(RunTilth({"log", "best", Path()}).out, HasSubstr("1.00 ms"));
}

TEST_F(LogCommandTest, ListFiltersByStatusAndWorkload) {
  EXPECT_EQ(RunJson({"list", Path()})["records"].size(), 3);
  const json crashed = RunJson({"list", Path(), "--status", "run crash"});
  ASSERT_EQ(crashed["records"].size(), 1);
  EXPECT_EQ(crashed["records"][0]["detail"], "SIGSEGV");
  EXPECT_EQ(RunJson({"list", Path(), "--workload", "matmul"})["records"].size(), 0);
  const json limited = RunJson({"list", Path(), "--limit", "1"});
  EXPECT_EQ(limited["records"].size(), 1);
  EXPECT_EQ(limited["matching"], 3);
  EXPECT_THAT(RunTilth({"log", "list", Path()}).out, HasSubstr("SIGSEGV"));
}

TEST_F(LogCommandTest, ExplainTellsDecisionsAndImprovements) {
  const json document = RunJson({"explain", Path(), "--workload", workload_.hash.substr(0, 8)});
  EXPECT_EQ(document["improvements"].size(), 2);
  EXPECT_EQ(document["best"][0]["trial_id"], "fast");
  EXPECT_THAT(RunTilth({"log", "explain", Path(), "--workload", "conv"}).out, HasSubstr("tile.n = [2,4,32]"));
}

TEST_F(LogCommandTest, ExportThenImportCarriesEverything) {
  EXPECT_EQ(RunTilth({"log", "export", Path(), "-o", Path("rows.jsonl")}).exit_code, 0);
  EXPECT_EQ(RunJson({"import", Path("copy.db"), Path("rows.jsonl")})["new_records"], 3);
  EXPECT_EQ(RunJson({"import", Path("copy.db"), Path("rows.jsonl")})["known_records"], 3);
  EXPECT_EQ(RunTilth({"log", "export", Path("copy.db")}).out, RunTilth({"log", "export", Path()}).out);
}

TEST_F(LogCommandTest, MergeTakesSeveralLogs) {
  const json document = RunJson({"merge", Path("sum.db"), Path(), Path()});
  EXPECT_EQ(document["new_records"], 3);
  EXPECT_EQ(document["known_records"], 3);
}

TEST_F(LogCommandTest, VerifyFailsOnAChangedText) {
  EXPECT_EQ(RunJson({"verify", Path()})["sound"], true);
  ASSERT_TRUE((*sqlite::Database::Open(Path()))->Execute("UPDATE target SET text = 'arch=arm'").ok());
  const ProgramResult result = RunTilth({"log", "verify", Path()});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out, HasSubstr("does not have this hash"));
}

TEST_F(LogCommandTest, GcKeepsTheBest) {
  EXPECT_EQ(RunJson({"gc", Path(), "--keep-best", "1"})["removed_rows"], 3);
  EXPECT_EQ(RunJson({"stats", Path()})["records"], 1);
}

}  // namespace
}  // namespace tilth
