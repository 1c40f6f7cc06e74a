// The store that nobody waits for: in order, all or nothing, and it says when the store behind it has failed.
#include "farm/write_behind_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <optional>
#include <thread>

#include "farm/memory_store.h"

namespace tilth {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SlowStore : public MemoryStore {
 public:
  Status Begin() override {
    ++begun;
    while (hold) std::this_thread::yield();
    return MemoryStore::Begin();
  }
  Status Commit() override {
    ++commits;
    if (broken) return absl::ResourceExhaustedError("the disk is full");
    return MemoryStore::Commit();
  }

  std::atomic<bool> hold = false, broken = false;
  std::atomic<int> begun = 0, commits = 0;
};

class WriteBehindStoreTest : public ::testing::Test {
 protected:
  void SetUp() override { store_.emplace(behind_, nullptr); }

  void Begin() { ASSERT_TRUE(store_->Begin().ok()); }
  void Open(const std::string& session) {
    ASSERT_TRUE(store_->PutSession({.id = session, .name = "", .device_class = "c"}).ok());
  }
  // Commits, with a promise.
  std::future<Status> Commit() {
    auto promise = std::make_shared<std::promise<Status>>();
    std::future<Status> kept = promise->get_future();
    std::vector<WriteBehindStore::Promise> promises;
    promises.push_back([promise](const Status& status) { promise->set_value(status); });
    store_->Commit(std::move(promises));
    return kept;
  }
  // Makes the store behind wait in the middle of a transaction of its own.
  std::future<Status> Hold() {
    behind_.hold = true;
    const int begun = behind_.begun;
    Begin();
    Open("held");
    std::future<Status> kept = Commit();
    while (behind_.begun == begun) std::this_thread::yield();
    return kept;
  }
  std::vector<std::string> Sessions(Store& store) {
    const StoredContents contents = store.Load().value();
    std::vector<std::string> ids;
    for (const auto& session : contents.sessions) ids.push_back(session.session.id);
    return ids;
  }

  SlowStore behind_;
  std::optional<WriteBehindStore> store_;
};

TEST_F(WriteBehindStoreTest, WhatGathersIsStoredInOneTransactionInOrder) {
  std::future<Status> held = Hold();
  std::vector<std::future<Status>> kept;
  for (const char* session : {"z", "a", "m"}) {
    Begin();
    Open(session);
    kept.push_back(Commit());
  }
  EXPECT_EQ(kept.front().wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
  const int commits = behind_.commits;
  behind_.hold = false;
  EXPECT_TRUE(held.get().ok());
  for (std::future<Status>& each : kept) EXPECT_TRUE(each.get().ok());
  EXPECT_EQ(behind_.commits, commits + 2) << "the held one, and one for all others";
  EXPECT_THAT(Sessions(*store_), ElementsAre("held", "z", "a", "m"));
}

TEST_F(WriteBehindStoreTest, ChangesWithoutAPromiseGoWithTheNextThatHasOne) {
  Begin();
  Open("a");
  ASSERT_TRUE(store_->Commit().ok());
  Begin();
  Open("b");
  EXPECT_TRUE(Commit().get().ok());
  EXPECT_THAT(Sessions(behind_), ElementsAre("a", "b"));
  EXPECT_EQ(behind_.commits, 1);
}

TEST_F(WriteBehindStoreTest, ChangesWithoutAPromiseAreStoredAfterAWhileOfCommits) {
  Begin();
  Open("a");
  ASSERT_TRUE(store_->Commit().ok());
  while (behind_.commits == 0) {  // as the tracker's ticks do
    Begin();
    ASSERT_TRUE(store_->Commit().ok());
  }
}

TEST_F(WriteBehindStoreTest, APromiseAboutNothingNewIsKeptWithoutATransaction) {
  Begin();
  EXPECT_TRUE(Commit().get().ok());
  EXPECT_EQ(behind_.begun, 0);
}

TEST_F(WriteBehindStoreTest, BlobsAreFoundBeforeAndAfterTheyAreStored) {
  std::future<Status> held = Hold();
  Begin();
  ASSERT_TRUE(store_->PutBlob("aa", "bytes").ok());
  EXPECT_EQ(*store_->GetBlob("aa"), "bytes");
  std::future<Status> first = Commit();
  Begin();
  ASSERT_TRUE(store_->DeleteBlob("aa").ok());
  ASSERT_TRUE(store_->PutBlob("aa", "bytes").ok());
  store_->Rollback();
  EXPECT_EQ(*store_->GetBlob("aa"), "bytes") << "the committed one still waits";
  behind_.hold = false;
  EXPECT_TRUE(first.get().ok());
  EXPECT_EQ(*store_->GetBlob("aa"), "bytes");
  EXPECT_EQ(store_->GetBlob("bb").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(WriteBehindStoreTest, AfterAFailureNothingIsStoredUntilItGoesBack) {
  Begin();
  Open("kept");
  ASSERT_TRUE(Commit().get().ok());
  behind_.broken = true;
  Begin();
  Open("lost");
  const Status lost = Commit().get();
  EXPECT_EQ(lost.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(lost.message()), HasSubstr("disk is full"));
  behind_.broken = false;
  Begin();
  Open("after it");
  EXPECT_EQ(Commit().get(), lost) << "it may rest on what was lost";
  EXPECT_EQ(store_->failure(), lost);

  Begin();
  Open("open");
  store_->GoBack(absl::AbortedError("back"));
  EXPECT_TRUE(store_->failure().ok());
  EXPECT_THAT(Sessions(*store_), ElementsAre("kept"));
  Begin();
  Open("new");
  EXPECT_TRUE(Commit().get().ok());
  EXPECT_THAT(Sessions(*store_), ElementsAre("kept", "new"));
}

TEST_F(WriteBehindStoreTest, GoingBackForgetsWhatWaitsAndNotWhatIsBeingStored) {
  std::future<Status> held = Hold();
  Begin();
  Open("waits");
  ASSERT_TRUE(store_->PutBlob("aa", "bytes").ok());
  std::future<Status> waits = Commit();
  std::thread release([this] {
    while (store_->GetBlob("aa").ok()) std::this_thread::yield();  // until it is forgotten
    behind_.hold = false;
  });
  store_->GoBack(absl::AbortedError("back"));
  release.join();
  EXPECT_TRUE(held.get().ok());
  EXPECT_EQ(waits.get().code(), absl::StatusCode::kAborted);
  EXPECT_THAT(Sessions(*store_), ElementsAre("held"));
  EXPECT_EQ(store_->GetBlob("aa").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(WriteBehindStoreTest, ADiskThatHasStoppedIsWaitedForWhenTooMuchIsUnwritten) {
  std::future<Status> held = Hold();
  const std::string blob(size_t{33} << 20, 'x');
  for (const char* hash : {"aa", "bb"}) {
    Begin();
    ASSERT_TRUE(store_->PutBlob(hash, blob).ok());
    ASSERT_TRUE(store_->Commit().ok());
  }
  auto begun = std::async(std::launch::async, [this] { return store_->Begin(); });
  EXPECT_EQ(begun.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  behind_.hold = false;
  EXPECT_TRUE(begun.get().ok());
}

TEST_F(WriteBehindStoreTest, ItsEndStoresWhatIsCommittedAndNothingElse) {
  Begin();
  Open("a");
  ASSERT_TRUE(store_->Commit().ok());
  Begin();
  Open("open");
  store_.reset();
  EXPECT_THAT(Sessions(behind_), ElementsAre("a"));
}

}  // namespace
}  // namespace tilth
