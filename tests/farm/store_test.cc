// The stores of this tree: both pass the conformance suite, and the one in a file survives its process.
#include "farm/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/files.h"
#include "db/sqlite.h"
#include "farm/memory_store.h"
#include "farm/sqlite_store.h"
#include "farm/store_conformance.h"

namespace tilth {

INSTANTIATE_TEST_SUITE_P(Implementations, StoreConformance,
                         ::testing::Values(StoreImplementation{"Memory",
                                                               [](const TempDir&) -> StatusOr<std::unique_ptr<Store>> {
                                                                 return std::make_unique<MemoryStore>();
                                                               }},
                                           StoreImplementation{
                                               "Sqlite",
                                               [](const TempDir& dir) { return OpenSqliteStore(dir.File("t.db")); }}),
                         [](const auto& info) { return info.param.name; });

namespace {

using ::testing::HasSubstr;

TEST(SqliteStoreTest, ContentsAndEpochSurviveReopening) {
  auto dir = TempDir::Create();
  ASSERT_TRUE(dir.ok());
  uint64_t epoch = 0;
  {
    auto store = OpenSqliteStore(dir->File("t.db"));
    ASSERT_TRUE(store.ok()) << store.status();
    epoch = *(*store)->NextEpoch();
    ASSERT_TRUE((*store)->Begin().ok());
    ASSERT_TRUE((*store)->PutSession({"s", "n", "c"}).ok());
    ASSERT_TRUE((*store)->AddTrial("s", {.id = "a", .trial = "t"}).ok());
    ASSERT_TRUE((*store)->Commit().ok());
    ASSERT_TRUE((*store)->Begin().ok());
    ASSERT_TRUE((*store)->AddTrial("s", {.id = "not committed"}).ok());
  }
  auto store = OpenSqliteStore(dir->File("t.db"));
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_GT(*(*store)->NextEpoch(), epoch);
  ASSERT_EQ((*store)->Load()->sessions[0].trials.size(), 1u);
  EXPECT_EQ((*store)->Load()->sessions[0].trials[0].trial, "t");
}

TEST(SqliteStoreTest, AfterASyncThatFailedLoadingMakesTheLogWholeAgain) {
  auto dir = TempDir::Create();
  ASSERT_TRUE(dir.ok());
  auto store = OpenSqliteStore(dir->File("t.db"));
  ASSERT_TRUE(store.ok()) << store.status();
  ASSERT_TRUE((*store)->Begin().ok());
  ASSERT_TRUE((*store)->PutSession({"s", "n", "c"}).ok());
  ASSERT_TRUE((*store)->Commit().ok());
  EXPECT_TRUE((*store)->Sync().ok());
  // A device cannot be synced.
  const std::string log = dir->File("t.db-wal");
  std::filesystem::rename(log, dir->File("aside"));
  std::filesystem::create_symlink("/dev/null", log);
  EXPECT_FALSE((*store)->Sync().ok());
  std::filesystem::rename(dir->File("aside"), log);
  EXPECT_GT(std::filesystem::file_size(log), 0u);
  EXPECT_EQ((*store)->Load()->sessions.size(), 1u);
  EXPECT_EQ(std::filesystem::file_size(log), 0u);
  EXPECT_TRUE((*store)->Sync().ok());
}

TEST(SqliteStoreTest, AnotherSchemaVersionIsRefusedWithBothNamed) {
  auto dir = TempDir::Create();
  ASSERT_TRUE(dir.ok());
  ASSERT_TRUE((*sqlite::Database::Open(dir->File("t.db")))->SetUserVersion(42).ok());
  const Status opened = OpenSqliteStore(dir->File("t.db")).status();
  EXPECT_EQ(opened.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(opened.message()), HasSubstr("version 42, this tracker writes version 3"));
}

}  // namespace
}  // namespace tilth
