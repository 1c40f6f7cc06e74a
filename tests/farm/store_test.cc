// The conformance test of Store: every implementation passes it.
#include "farm/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "base/files.h"
#include "db/sqlite.h"
#include "farm/memory_store.h"
#include "farm/sqlite_store.h"

namespace tilth {
namespace {

using ::testing::HasSubstr;

struct Implementation {
  const char* name;
  std::function<StatusOr<std::unique_ptr<Store>>(const TempDir&)> open;
};

class StoreTest : public ::testing::TestWithParam<Implementation> {
 protected:
  void SetUp() override {
    auto dir = TempDir::Create();
    ASSERT_TRUE(dir.ok());
    dir_.emplace(std::move(*dir));
    auto store = GetParam().open(*dir_);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = std::move(*store);
    ASSERT_TRUE(store_->PutSession({"s1", "tune x", "rpi4"}).ok());
  }

  std::optional<TempDir> dir_;
  std::unique_ptr<Store> store_;
};

TEST_P(StoreTest, LoadsWhatWasStoredInOrderOfSubmission) {
  const std::string bytes("a\0b\xff", 4);
  ASSERT_TRUE(store_->AddTrials("s1", {{.id = "z", .trial = bytes, .submitted_ms = 5}, {.id = "a", .trial = ""}}).ok());
  ASSERT_TRUE(store_->AddTrials("s1", {{.id = "m", .trial = "x"}}).ok());
  const StoredLease lease{.token = uint64_t{3} << 32, .agent_id = "agent", .attempts = 2, .lost_runs = 1};
  ASSERT_TRUE(store_->PutLease("s1", "z", lease).ok());
  ASSERT_TRUE(store_->PutResult("s1", "a", bytes).ok());
  ASSERT_TRUE(store_->SetDraining("agent", true).ok());

  const auto contents = store_->Load();
  ASSERT_TRUE(contents.ok()) << contents.status();
  ASSERT_EQ(contents->sessions.size(), 1u);
  EXPECT_EQ(contents->sessions[0].session.device_class, "rpi4");
  const auto& trials = contents->sessions[0].trials;
  ASSERT_EQ(trials.size(), 3u);
  EXPECT_EQ(trials[0].id, "z");
  EXPECT_EQ(trials[0].trial, bytes);
  EXPECT_EQ(trials[0].submitted_ms, 5);
  EXPECT_EQ(trials[0].lease.token, lease.token);
  EXPECT_EQ(trials[0].lease.agent_id, "agent");
  EXPECT_EQ(trials[0].lease.attempts, 2);
  EXPECT_EQ(trials[0].lease.lost_runs, 1);
  EXPECT_TRUE(trials[0].result.empty());
  EXPECT_EQ(trials[1].result, bytes);
  EXPECT_EQ(trials[2].id, "m");
  EXPECT_THAT(contents->draining_agents, ::testing::ElementsAre("agent"));
}

TEST_P(StoreTest, AddingIsAllOrNone) {
  ASSERT_TRUE(store_->AddTrials("s1", {{.id = "a"}}).ok());
  EXPECT_EQ(store_->AddTrials("s1", {{.id = "b"}, {.id = "a"}}).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(store_->Load()->sessions[0].trials.size(), 1u);
  EXPECT_EQ(store_->AddTrials("unknown", {{.id = "b"}}).code(), absl::StatusCode::kNotFound);
}

TEST_P(StoreTest, ChangesOfUnknownTrialsAreNotFound) {
  EXPECT_EQ(store_->PutLease("s1", "x", {}).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store_->PutResult("s1", "x", "r").code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(store_->DeleteTrials("s1", {"x"}).ok());
}

TEST_P(StoreTest, DeletesTrialsAndSessions) {
  ASSERT_TRUE(store_->AddTrials("s1", {{.id = "a"}, {.id = "b"}}).ok());
  ASSERT_TRUE(store_->DeleteTrials("s1", {"a"}).ok());
  EXPECT_EQ(store_->Load()->sessions[0].trials.size(), 1u);
  ASSERT_TRUE(store_->DeleteSession("s1").ok());
  ASSERT_TRUE(store_->DeleteSession("s1").ok());
  EXPECT_TRUE(store_->Load()->sessions.empty());
  ASSERT_TRUE(store_->PutSession({"s1", "", "x"}).ok());
  EXPECT_TRUE(store_->Load()->sessions[0].trials.empty());
}

TEST_P(StoreTest, KeepsBlobs) {
  EXPECT_EQ(store_->GetBlob("aa").status().code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(*store_->HasBlob("aa"));
  ASSERT_TRUE(store_->PutBlob("aa", "bytes").ok());
  ASSERT_TRUE(store_->PutBlob("aa", "bytes").ok());
  EXPECT_TRUE(*store_->HasBlob("aa"));
  EXPECT_EQ(*store_->GetBlob("aa"), "bytes");
  ASSERT_TRUE(store_->DeleteAllBlobs().ok());
  EXPECT_FALSE(*store_->HasBlob("aa"));
}

TEST_P(StoreTest, EpochsGrow) {
  const uint64_t first = *store_->NextEpoch();
  EXPECT_GT(*store_->NextEpoch(), first);
}

INSTANTIATE_TEST_SUITE_P(
    Implementations, StoreTest,
    ::testing::Values(Implementation{"Memory",
                                     [](const TempDir&) -> StatusOr<std::unique_ptr<Store>> {
                                       return std::make_unique<MemoryStore>();
                                     }},
                      Implementation{"Sqlite", [](const TempDir& dir) { return OpenSqliteStore(dir.File("t.db")); }}),
    [](const auto& info) { return info.param.name; });

TEST(SqliteStoreTest, ContentsAndEpochSurviveReopening) {
  auto dir = TempDir::Create();
  ASSERT_TRUE(dir.ok());
  uint64_t epoch = 0;
  {
    auto store = OpenSqliteStore(dir->File("t.db"));
    ASSERT_TRUE(store.ok()) << store.status();
    epoch = *(*store)->NextEpoch();
    ASSERT_TRUE((*store)->PutSession({"s", "n", "c"}).ok());
    ASSERT_TRUE((*store)->AddTrials("s", {{.id = "a", .trial = "t"}}).ok());
  }
  auto store = OpenSqliteStore(dir->File("t.db"));
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_GT(*(*store)->NextEpoch(), epoch);
  EXPECT_EQ((*store)->Load()->sessions[0].trials[0].trial, "t");
}

TEST(SqliteStoreTest, AnotherSchemaVersionIsRefusedWithBothNamed) {
  auto dir = TempDir::Create();
  ASSERT_TRUE(dir.ok());
  ASSERT_TRUE((*sqlite::Database::Open(dir->File("t.db")))->SetUserVersion(42).ok());
  const Status opened = OpenSqliteStore(dir->File("t.db")).status();
  EXPECT_EQ(opened.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(opened.message()), HasSubstr("version 42, this tracker writes version 1"));
}

}  // namespace
}  // namespace tilth
