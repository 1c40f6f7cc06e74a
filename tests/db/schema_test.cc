// Migration: data survives every step, a failing step leaves the version before, foreign files stay untouched.
#include "db/schema.h"

#include <gmock/gmock.h>

#include "tests/db/log_fixture.h"

namespace tilth::sqlite {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kStep1 = "CREATE TABLE item(name TEXT)";
constexpr std::string_view kStep2 = "ALTER TABLE item ADD COLUMN size INTEGER NOT NULL DEFAULT 7";
constexpr std::string_view kStep3 = "CREATE TABLE extra(a); UPDATE item SET size = size + 1";

Schema WithSteps(std::vector<std::string_view> steps) {
  return {.what = "test list", .application_id = 4711, .steps = std::move(steps)};
}

class SchemaTest : public LogFixture {
 protected:
  std::unique_ptr<Database> OpenDatabase(const Options& options = {}) { return *Database::Open(Path(), options); }
};

TEST_F(SchemaTest, OldFileIsBroughtUpStepByStepWithItsData) {
  auto database = OpenDatabase();
  ASSERT_TRUE(Migrate(*database, WithSteps({kStep1})).ok());
  ASSERT_TRUE(database->Execute("INSERT INTO item VALUES('a')").ok());
  ASSERT_TRUE(Migrate(*database, WithSteps({kStep1, kStep2, kStep3})).ok());
  EXPECT_EQ(*database->UserVersion(), 3);
  auto select = database->Prepare("SELECT size FROM item WHERE name = 'a'");
  ASSERT_TRUE(*select->Step());
  EXPECT_EQ(select->Int64(0), 8);
}

TEST_F(SchemaTest, MigratingTwiceChangesNothing) {
  auto database = OpenDatabase();
  const Schema schema = WithSteps({kStep1, kStep2, kStep3});
  ASSERT_TRUE(Migrate(*database, schema).ok());
  ASSERT_TRUE(Migrate(*database, schema).ok());
  EXPECT_EQ(*database->UserVersion(), 3);
}

TEST_F(SchemaTest, FailingStepLeavesTheVersionBefore) {
  auto database = OpenDatabase();
  const Status status = Migrate(*database, WithSteps({kStep1, "CREATE TABLE half(a); INSERT INTO nowhere VALUES(1)"}));
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr("from version 1 to 2"));
  EXPECT_EQ(*database->UserVersion(), 1);
  auto select = database->Prepare("SELECT count(*) FROM sqlite_schema WHERE name = 'half'");
  ASSERT_TRUE(*select->Step());
  EXPECT_EQ(select->Int64(0), 0);
}

TEST_F(SchemaTest, ReaderOfAnOlderFileSaysHowToBringItUp) {
  ASSERT_TRUE(Migrate(*OpenDatabase(), WithSteps({kStep1})).ok());
  auto reader = OpenDatabase({.mode = Mode::kReadOnly});
  EXPECT_TRUE(CheckVersion(*reader, WithSteps({kStep1})).ok());
  const Status status = CheckVersion(*reader, WithSteps({kStep1, kStep2}));
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("open it once for writing"));
}

TEST_F(SchemaTest, FileOfAnotherApplicationIsRefused) {
  ASSERT_TRUE(Migrate(*OpenDatabase(), {.what = "other", .application_id = 1, .steps = {kStep1}}).ok());
  EXPECT_EQ(Migrate(*OpenDatabase(), WithSteps({kStep1})).code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace tilth::sqlite
