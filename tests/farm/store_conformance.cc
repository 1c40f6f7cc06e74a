#include "farm/store_conformance.h"

#include <thread>

namespace tilth {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Status Add(Store& store, const std::vector<StoredTrial>& trials) {
  for (const StoredTrial& trial : trials) TILTH_RETURN_IF_ERROR(store.AddTrial("s1", trial));
  return absl::OkStatus();
}

}  // namespace

TEST_P(StoreConformance, LoadsWhatWasStoredInOrderOfSubmission) {
  const std::string bytes("a\0b\xff", 4);
  const StoredLease lease{.token = uint64_t{3} << 32, .agent_id = "agent", .attempts = 2, .lost_runs = 1, .spoiled = 4};
  Change([&](Store& store) {
    return Add(store, {{.id = "z", .trial = bytes, .submitted_ms = 5}, {.id = "a", .trial = ""}});
  });
  Change([&](Store& store) { return Add(store, {{.id = "m", .trial = "x"}}); });
  Change([&](Store& store) {
    TILTH_RETURN_IF_ERROR(store.PutLease("s1", "z", lease));
    return store.PutResult("s1", "a", bytes);
  });

  const StoredContents contents = Load();
  ASSERT_EQ(contents.sessions.size(), 1u);
  EXPECT_EQ(contents.sessions[0].session.device_class, "rpi4");
  const auto& trials = contents.sessions[0].trials;
  ASSERT_EQ(trials.size(), 3u);
  EXPECT_EQ(trials[0].id, "z");
  EXPECT_EQ(trials[0].trial, bytes);
  EXPECT_EQ(trials[0].submitted_ms, 5);
  EXPECT_EQ(trials[0].lease.token, lease.token);
  EXPECT_EQ(trials[0].lease.agent_id, "agent");
  EXPECT_EQ(trials[0].lease.attempts, 2);
  EXPECT_EQ(trials[0].lease.lost_runs, 1);
  EXPECT_EQ(trials[0].lease.spoiled, 4);
  EXPECT_TRUE(trials[0].result.empty());
  EXPECT_EQ(trials[1].result, bytes);
  EXPECT_EQ(trials[2].id, "m");
}

TEST_P(StoreConformance, KeepsSessionsInOrderOfOpeningWithAllTheySay) {
  const StoredSession full{
      .id = "a", .name = "n", .device_class = "c", .user = "u", .device_tags = {"fan", "ram-8g"}, .priority = -3};
  Change([&](Store& store) { return store.PutSession(full); });
  Change([&](Store& store) { return Add(store, {{.id = "t"}}); });
  Change([&](Store& store) { return store.PutSession({.id = "s1", .name = "renamed", .device_class = "rpi4"}); });
  const StoredContents contents = Load();
  ASSERT_EQ(contents.sessions.size(), 2u);
  EXPECT_EQ(contents.sessions[0].session.name, "renamed");
  EXPECT_EQ(contents.sessions[0].trials.size(), 1u) << "a session's trials stay when it changes";
  const StoredSession& session = contents.sessions[1].session;
  EXPECT_EQ(session.user, "u");
  EXPECT_THAT(session.device_tags, ElementsAre("fan", "ram-8g"));
  EXPECT_EQ(session.priority, -3);
}

TEST_P(StoreConformance, WhatIsRolledBackHasNotHappened) {
  Change([&](Store& store) {
    TILTH_RETURN_IF_ERROR(store.PutBlob("aa", "bytes"));
    return Add(store, {{.id = "a", .trial = "t"}, {.id = "b"}});
  });
  EXPECT_EQ(Fail([](Store& store) {
              TILTH_RETURN_IF_ERROR(store.PutSession({.id = "s2", .name = "", .device_class = "c"}));
              TILTH_RETURN_IF_ERROR(store.PutSession({.id = "s1", .name = "other", .device_class = "c"}));
              TILTH_RETURN_IF_ERROR(Add(store, {{.id = "c"}}));
              TILTH_RETURN_IF_ERROR(store.PutLease("s1", "a", {.token = 7, .agent_id = "x"}));
              TILTH_RETURN_IF_ERROR(store.PutResult("s1", "b", "result"));
              TILTH_RETURN_IF_ERROR(store.DeleteTrial("s1", "a"));
              TILTH_RETURN_IF_ERROR(store.PutBlob("bb", "more"));
              TILTH_RETURN_IF_ERROR(store.DeleteBlob("aa"));
              TILTH_RETURN_IF_ERROR(store.PutDevice({.agent_id = "x", .mode = StoredDevice::Mode::kCordoned}));
              TILTH_RETURN_IF_ERROR(store.PutPoison({"aa", 7}));
              TILTH_RETURN_IF_ERROR(store.DeleteSession("s1"));
              return Status(absl::AbortedError("enough"));
            }),
            absl::StatusCode::kAborted);
  const StoredContents contents = Load();
  ASSERT_EQ(contents.sessions.size(), 1u);
  EXPECT_EQ(contents.sessions[0].session.name, "tune x");
  const auto& trials = contents.sessions[0].trials;
  ASSERT_EQ(trials.size(), 2u);
  EXPECT_EQ(trials[0].id, "a");
  EXPECT_EQ(trials[0].trial, "t");
  EXPECT_EQ(trials[0].lease.token, 0u);
  EXPECT_EQ(trials[1].result, "");
  EXPECT_THAT(contents.blob_hashes, ElementsAre("aa"));
  EXPECT_THAT(contents.devices, IsEmpty());
  EXPECT_THAT(contents.poison, IsEmpty());
}

TEST_P(StoreConformance, BlobsAreReadBesideAnOpenTransaction) {
  Change([](Store& store) { return store.PutBlob("aa", "bytes"); });
  ASSERT_TRUE(store_->Begin().ok());
  ASSERT_TRUE(store_->PutBlob("bb", "more").ok());
  StatusOr<std::string> read;
  std::thread([&] { read = store_->GetBlob("aa"); }).join();
  EXPECT_EQ(*read, "bytes");
  store_->Rollback();
  EXPECT_EQ(store_->GetBlob("bb").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(*store_->GetBlob("aa"), "bytes");
  store_->Rollback();  // nothing to do
}

TEST_P(StoreConformance, ThereIsOneTransactionAtATime) {
  ASSERT_TRUE(store_->Begin().ok());
  EXPECT_EQ(store_->Begin().code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_TRUE(store_->Commit().ok());
  ASSERT_TRUE(store_->Begin().ok());
}

TEST_P(StoreConformance, AddingNeedsASessionAndANewId) {
  Change([](Store& store) { return Add(store, {{.id = "a"}}); });
  EXPECT_EQ(Fail([](Store& store) { return Add(store, {{.id = "b"}, {.id = "a"}}); }),
            absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(Load().sessions[0].trials.size(), 1u);
  EXPECT_EQ(Fail([](Store& store) { return store.AddTrial("unknown", {.id = "b"}); }), absl::StatusCode::kNotFound);
}

TEST_P(StoreConformance, ChangesOfUnknownTrialsAreNotFound) {
  EXPECT_EQ(Fail([](Store& store) { return store.PutLease("s1", "x", {}); }), absl::StatusCode::kNotFound);
  EXPECT_EQ(Fail([](Store& store) { return store.PutResult("s1", "x", "r"); }), absl::StatusCode::kNotFound);
  EXPECT_EQ(Fail([](Store& store) { return store.DeleteTrial("s1", "x"); }), absl::StatusCode::kOk);
}

TEST_P(StoreConformance, DeletesTrialsAndSessions) {
  Change([](Store& store) { return Add(store, {{.id = "a"}, {.id = "b"}}); });
  Change([](Store& store) { return store.DeleteTrial("s1", "a"); });
  EXPECT_EQ(Load().sessions[0].trials.size(), 1u);
  Change([](Store& store) { return store.DeleteSession("s1"); });
  Change([](Store& store) { return store.DeleteSession("s1"); });
  EXPECT_THAT(Load().sessions, IsEmpty());
  Change([](Store& store) { return store.PutSession({.id = "s1", .name = "", .device_class = "x"}); });
  EXPECT_THAT(Load().sessions[0].trials, IsEmpty());
}

TEST_P(StoreConformance, KeepsBlobsUntilTheyAreDeleted) {
  const std::string bytes("\0\xff", 2);
  EXPECT_EQ(store_->GetBlob("aa").status().code(), absl::StatusCode::kNotFound);
  Change([&](Store& store) {
    TILTH_RETURN_IF_ERROR(store.PutBlob("aa", bytes));
    return store.PutBlob("aa", bytes);
  });
  EXPECT_EQ(*store_->GetBlob("aa"), bytes);
  EXPECT_THAT(Load().blob_hashes, ElementsAre("aa"));
  Change([](Store& store) { return store.DeleteBlob("aa"); });
  Change([](Store& store) { return store.DeleteBlob("aa"); });
  EXPECT_THAT(Load().blob_hashes, IsEmpty());
}

TEST_P(StoreConformance, KeepsWhatOperatorsSayAboutDevices) {
  Change([](Store& store) {
    TILTH_RETURN_IF_ERROR(store.PutDevice({.agent_id = "x", .mode = StoredDevice::Mode::kDraining}));
    TILTH_RETURN_IF_ERROR(store.PutDevice({.agent_id = "y", .mode = StoredDevice::Mode::kCordoned}));
    return store.PutDevice({.agent_id = "z", .reserved_for = "eve"});
  });
  Change([](Store& store) { return store.PutDevice({.agent_id = "y"}); });
  const StoredContents contents = Load();
  ASSERT_EQ(contents.devices.size(), 2u);
  EXPECT_EQ(contents.devices[0].agent_id, "x");
  EXPECT_EQ(contents.devices[0].mode, StoredDevice::Mode::kDraining);
  EXPECT_EQ(contents.devices[1].reserved_for, "eve");
}

TEST_P(StoreConformance, KeepsRecordsOfDevicesUntilTheyAreDeleted) {
  const std::string bytes("\0\xff", 2);
  Change([&](Store& store) {
    TILTH_RETURN_IF_ERROR(store.PutRecord({.agent_id = "y", .hello = "h"}));
    TILTH_RETURN_IF_ERROR(store.PutRecord({.agent_id = "x", .hello = "old"}));
    return store.PutRecord({.agent_id = "x",
                            .hello = bytes,
                            .offline_since_ms = 5,
                            .trials_done = int64_t{1} << 40,
                            .trials_failed = 2,
                            .trials_spoiled = 3});
  });
  EXPECT_EQ(Fail([](Store& store) {
              TILTH_RETURN_IF_ERROR(store.DeleteRecord("x"));
              return Status(absl::AbortedError("enough"));
            }),
            absl::StatusCode::kAborted);
  const StoredContents contents = Load();
  ASSERT_EQ(contents.records.size(), 2u);
  const StoredRecord& record = contents.records[0];
  EXPECT_EQ(record.agent_id, "x");
  EXPECT_EQ(record.hello, bytes);
  EXPECT_EQ(record.offline_since_ms, 5);
  EXPECT_EQ(record.trials_done, int64_t{1} << 40);
  EXPECT_EQ(record.trials_failed, 2);
  EXPECT_EQ(record.trials_spoiled, 3);
  Change([](Store& store) { return store.DeleteRecord("x"); });
  Change([](Store& store) { return store.DeleteRecord("x"); });
  EXPECT_EQ(Load().records.size(), 1u);
}

TEST_P(StoreConformance, KeepsPoisonUntilItIsDeleted) {
  Change([](Store& store) {
    TILTH_RETURN_IF_ERROR(store.PutPoison({"aa", 5}));
    TILTH_RETURN_IF_ERROR(store.PutPoison({"bb", 6}));
    return store.PutPoison({"aa", 7});
  });
  Change([](Store& store) { return store.DeletePoison("bb"); });
  Change([](Store& store) { return store.DeletePoison("bb"); });
  ASSERT_EQ(Load().poison.size(), 1u);
  EXPECT_EQ(Load().poison[0].artifact_hash, "aa");
  EXPECT_EQ(Load().poison[0].until_ms, 7);
}

TEST_P(StoreConformance, EpochsGrow) {
  const uint64_t first = *store_->NextEpoch();
  EXPECT_GT(*store_->NextEpoch(), first);
}

}  // namespace tilth
