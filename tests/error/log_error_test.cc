// What users are told when the tuning log they name cannot be used: one test per cause.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/db/log_fixture.h"
#include "tests/support/tilth_program.h"

namespace tilth {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class LogErrorTest : public LogFixture {
 protected:
  std::string ErrorOf(const std::vector<std::string>& arguments) {
    const ProgramResult result = RunTilth(arguments);
    EXPECT_EQ(result.exit_code, 1) << result.out << result.err;
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, StartsWith("tilth log " + arguments[1] + ": error: "));
    return result.err;
  }
};

TEST_F(LogErrorTest, MissingFile) {
  EXPECT_THAT(ErrorOf({"log", "stats", Path("none.db")}), HasSubstr("no such file"));
}

TEST_F(LogErrorTest, FileThatIsNotSqlite) {
  std::ofstream(Path()) << "model,time\n" << std::string(1000, '.');
  EXPECT_THAT(ErrorOf({"log", "stats", Path()}), HasSubstr("is not an SQLite database: check the path"));
}

TEST_F(LogErrorTest, SqliteFileOfSomethingElse) {
  ASSERT_TRUE((*sqlite::Database::Open(Path()))->Execute("CREATE TABLE song(title)").ok());
  EXPECT_THAT(ErrorOf({"log", "stats", Path()}), HasSubstr("not a Tilth tuning log"));
}

TEST_F(LogErrorTest, NewerSchema) {
  OpenFilledLog();
  ASSERT_TRUE((*sqlite::Database::Open(Path()))->SetUserVersion(42).ok());
  EXPECT_THAT(ErrorOf({"log", "best", Path()}), HasSubstr("written by a newer Tilth: it has version 42"));
}

TEST_F(LogErrorTest, TruncatedFile) {
  {
    auto log = OpenFilledLog();
    for (int i = 0; i < 200; ++i) ASSERT_TRUE(log->Append(Record(StrCat("t", i), 100)).ok());
  }
  std::filesystem::resize_file(Path(), std::filesystem::file_size(Path()) / 2);
  const ProgramResult result = RunTilth({"log", "verify", Path()});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out + result.err, HasSubstr("damaged"));
}

TEST_F(LogErrorTest, WriterHoldsTheLog) {
  OpenFilledLog("other.db");
  OpenFilledLog();
  auto holder = sqlite::Database::Open(Path());
  auto held = sqlite::Transaction::Begin(**holder);
  ASSERT_TRUE(held.ok());
  EXPECT_THAT(ErrorOf({"log", "merge", Path(), Path("other.db")}), HasSubstr("another process is writing to it"));
}

TEST_F(LogErrorTest, FullDiskKeepsTheLogSound) {
  {
    auto log = OpenFilledLog("big.db");
    for (int i = 0; i < 300; ++i) ASSERT_TRUE(log->Append(Record(StrCat("t", i), 100)).ok());
  }
  OpenFilledLog();
  const ProgramResult result = RunTilth({"log", "merge", Path(), Path("big.db")}, {.file_size_bytes = 64 * 1024});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("the disk is full"));
  const ProgramResult verified = RunTilth({"log", "verify", Path()});
  EXPECT_EQ(verified.exit_code, 0);
  EXPECT_THAT(verified.out, HasSubstr("sound, 0 records"));
}

TEST_F(LogErrorTest, ExportToAFullDisk) {
  OpenFilledLog();
  EXPECT_THAT(ErrorOf({"log", "export", Path(), "-o", "/dev/full"}), HasSubstr("is the disk full?"));
}

TEST_F(LogErrorTest, UnknownWorkload) {
  OpenFilledLog();
  EXPECT_THAT(ErrorOf({"log", "explain", Path(), "--workload", "nope"}), HasSubstr("'nope'"));
}

TEST_F(LogErrorTest, AmbiguousWorkloadListsTheChoices) {
  OpenFilledLog();
  const std::string error = ErrorOf({"log", "explain", Path()});
  EXPECT_THAT(error, HasSubstr("2 workloads fit"));
  EXPECT_THAT(error, HasSubstr(workload_.hash.substr(0, 8)));
}

TEST_F(LogErrorTest, ImportNamesFileAndLine) {
  std::ofstream(Path("rows.jsonl")) << "{\"row\":\"tilth-log\",\"version\":1}\n{\"row\":\"target\"}\n";
  EXPECT_THAT(ErrorOf({"log", "import", Path(), Path("rows.jsonl")}), HasSubstr("rows.jsonl: line 2: "));
}

}  // namespace
}  // namespace tilth
