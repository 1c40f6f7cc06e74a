// Export, import, merge, verify and gc.
#include <gmock/gmock.h>

#include <sstream>

#include "db/log_json.h"
#include "tests/db/log_fixture.h"

namespace tilth {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class LogExchangeTest : public LogFixture {
 protected:
  std::string Exported(TuningLog& log) {
    std::ostringstream out;
    EXPECT_TRUE(log.Export(out).ok());
    return out.str();
  }
  Status ImportError(const std::string& text) {
    auto log = OpenLog("import.db");
    std::istringstream in(text);
    const Status status = log->Import(in).status();
    EXPECT_EQ(*log->Count({}), 0);
    return status;
  }
};

TEST_F(LogExchangeTest, ImportOfAnExportIsTheSameLog) {
  auto log = OpenFilledLog();
  ASSERT_TRUE(log->Append({Record("t1", 100.1), Failure("t2", "run crash")}).ok());
  const std::string text = Exported(*log);
  auto copy = OpenLog("copy.db");
  std::istringstream in(text);
  const auto report = copy->Import(in);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->new_records, 2);
  EXPECT_EQ(Exported(*copy), text);
}

TEST_F(LogExchangeTest, ImportTwiceChangesNothing) {
  auto log = OpenFilledLog();
  ASSERT_TRUE(log->Append(Record("t1", 100)).ok());
  const std::string text = Exported(*log);
  std::istringstream in(text);
  const auto report = log->Import(in);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->new_records, 0);
  EXPECT_EQ(report->known_records, 1);
  EXPECT_EQ(Exported(*log), text);
}

TEST_F(LogExchangeTest, DetailThatIsNoUtf8IsExported) {
  auto log = OpenFilledLog();
  TuningRecord record = Failure("t1", "run crash");
  record.detail = "bad \xff byte";
  ASSERT_TRUE(log->Append(record).ok());
  EXPECT_THAT(Exported(*log), HasSubstr("bad \xef\xbf\xbd byte"));
}

TEST_F(LogExchangeTest, BadImportsNameTheLineAndTakeNothing) {
  EXPECT_THAT(std::string(ImportError("").message()), HasSubstr("line 1"));
  EXPECT_THAT(std::string(ImportError("{}\n").message()), HasSubstr("not an export"));
  EXPECT_THAT(std::string(ImportError("[1,2\n").message()), HasSubstr("not an export"));
  EXPECT_EQ(ImportError(R"({"row":"tilth-log","version":9})").code(), absl::StatusCode::kFailedPrecondition);
  const std::string header = ExportHeader() + "\n";
  EXPECT_THAT(std::string(ImportError(header + "{\"row\":\"target\"").message()), HasSubstr("line 2: not a JSON"));
  EXPECT_THAT(std::string(ImportError(header + R"({"row":"planet"})").message()), HasSubstr("unknown row \"planet\""));
  EXPECT_THAT(std::string(ImportError(header + R"({"row":"target","hash":3,"text":"x"})").message()),
              HasSubstr("\"hash\" must be a text"));
  EXPECT_THAT(std::string(ImportError(header + R"({"row":"target","hash":"12","text":"x"})").message()),
              HasSubstr("does not have this hash"));
}

TEST_F(LogExchangeTest, ImportWithARecordOfNoSessionTakesNothing) {
  auto log = OpenFilledLog();
  ASSERT_TRUE(log->Append(Record("t1", 100)).ok());
  std::istringstream in(Exported(*log));
  std::string text;
  for (std::string line; std::getline(in, line);) {
    if (line.find("\"row\":\"session\"") == std::string::npos) text += line + "\n";
  }
  EXPECT_EQ(ImportError(text).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(LogExchangeTest, MergeTakesWhatIsNew) {
  auto log = OpenFilledLog();
  ASSERT_TRUE(log->Append({Record("t1", 100), Record("t2", 200)}).ok());
  auto other = OpenFilledLog("other.db", "s2");
  ASSERT_TRUE(other->BeginSession({.id = "s1"}).ok());
  TuningRecord fresh = Record("t3", 50);
  fresh.session_id = "s2";
  ASSERT_TRUE(other->Append({Record("t2", 999), fresh}).ok());
  const auto report = log->Merge(*other);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->new_records, 1);
  EXPECT_EQ(report->known_records, 1);
  const auto best = log->BestRecords(workload_.hash, target_.hash, 5);
  ASSERT_EQ(best->size(), 3);
  EXPECT_EQ(best->front().trial_id, "t3");
  EXPECT_EQ(best->back().median_ns, 200);
}

TEST_F(LogExchangeTest, VerifyFindsChangedTextsAndBrokenRows) {
  auto log = OpenFilledLog();
  ASSERT_TRUE(log->Append({Record("t1", 100), Record("t2", 200)}).ok());
  EXPECT_THAT(*log->Verify(), ElementsAre());
  auto intruder = sqlite::Database::Open(Path());
  ASSERT_TRUE((*intruder)
                  ->Execute("UPDATE workload SET text = 'workload three' WHERE name = 'conv 3x3';"
                            "UPDATE record SET median_ns = -1 WHERE trial_id = 't2'")
                  .ok());
  EXPECT_THAT(*log->Verify(), ElementsAre(HasSubstr("does not have this hash"), HasSubstr("record t2")));
  ASSERT_TRUE((*intruder)->Execute("PRAGMA foreign_keys = OFF; DELETE FROM target").ok());
  EXPECT_THAT(*log->Verify(), ElementsAre(HasSubstr("2 rows of record refer to a missing target")));
}

TEST_F(LogExchangeTest, GcDropsOnlyWhatNoRecordRefersTo) {
  auto log = OpenFilledLog();
  ASSERT_TRUE(log->Append({Record("t1", 100), Failure("t2", "run crash")}).ok());
  const auto report = log->Gc({});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->removed_rows, 1);  // other_workload_
  EXPECT_EQ(*log->Count({}), 2);
  EXPECT_THAT(*log->Verify(), ElementsAre());
}

TEST_F(LogExchangeTest, GcKeepsTheBestAndTheWrongAnswers) {
  auto log = OpenFilledLog();
  ASSERT_TRUE(log->Append({Record("wrongly fast", 10, R"({"a":1})"), Failure("wrong", "wrong answer", R"({"a":1})"),
                           Record("t1", 100), Record("t2", 200), Record("t3", 300), Failure("t4", "run crash")})
                  .ok());
  ASSERT_TRUE(log->Gc({.keep_best = 2}).ok());
  EXPECT_EQ(*log->Count({.status = "ok"}), 2);
  EXPECT_EQ(*log->Count({.status = "wrong answer"}), 1);
  EXPECT_EQ(log->BestRecords(workload_.hash, target_.hash, 1)->front().trial_id, "t1");
}

}  // namespace
}  // namespace tilth
