// The stores of this tree: both pass the conformance suite, and the one in a file survives its process.
#include "farm/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

TEST(SqliteStoreTest, AnotherSchemaVersionIsRefusedWithBothNamed) {
  auto dir = TempDir::Create();
  ASSERT_TRUE(dir.ok());
  ASSERT_TRUE((*sqlite::Database::Open(dir->File("t.db")))->SetUserVersion(42).ok());
  const Status opened = OpenSqliteStore(dir->File("t.db")).status();
  EXPECT_EQ(opened.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(opened.message()), HasSubstr("version 42, this tracker writes version 4"));
}

TEST(SqliteStoreTest, AStateOfVersion3IsTakenOn) {
  auto dir = TempDir::Create();
  ASSERT_TRUE(dir.ok());
  {
    auto database = sqlite::Database::Open(dir->File("t.db"));
    ASSERT_TRUE(database.ok());
    const Status made = (*database)->Execute(R"(
        CREATE TABLE counter(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE session(
          number INTEGER PRIMARY KEY,
          id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, device_class TEXT NOT NULL, user TEXT NOT NULL,
          device_tags TEXT NOT NULL, priority INTEGER NOT NULL);
        CREATE TABLE trial(
          number INTEGER PRIMARY KEY,
          session TEXT NOT NULL, id TEXT NOT NULL, trial BLOB NOT NULL, submitted_ms INTEGER NOT NULL,
          token INTEGER NOT NULL, agent TEXT NOT NULL, attempts INTEGER NOT NULL, lost_runs INTEGER NOT NULL,
          result BLOB NOT NULL,
          UNIQUE(session, id));
        CREATE TABLE blob(hash TEXT PRIMARY KEY, frame BLOB NOT NULL);
        CREATE TABLE device(agent TEXT PRIMARY KEY, mode INTEGER NOT NULL, reserved_for TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE poison(artifact TEXT PRIMARY KEY, until_ms INTEGER NOT NULL) WITHOUT ROWID;
        INSERT INTO session VALUES(1, 's', 'n', 'c', 'u', '', 0);
        INSERT INTO trial VALUES(1, 's', 'a', x'74', 5, 7, 'x', 1, 0, x'72');)");
    ASSERT_TRUE(made.ok()) << made;
    ASSERT_TRUE((*database)->SetUserVersion(3).ok());
  }
  for (int opening = 0; opening < 2; ++opening) {
    auto store = OpenSqliteStore(dir->File("t.db"));
    ASSERT_TRUE(store.ok()) << store.status();
    const auto contents = (*store)->Load();
    ASSERT_TRUE(contents.ok()) << contents.status();
    ASSERT_EQ(contents->sessions.size(), 1u);
    EXPECT_EQ(contents->sessions[0].trials.at(0).result, "r");
    EXPECT_EQ(contents->sessions[0].trials.at(0).lease.spoiled, 0);
    ASSERT_TRUE((*store)->Begin().ok());
    EXPECT_TRUE((*store)->PutRecord({.agent_id = "x"}).ok());
    ASSERT_TRUE((*store)->Commit().ok());
  }
}

}  // namespace
}  // namespace tilth
