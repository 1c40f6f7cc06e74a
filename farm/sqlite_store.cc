#include "farm/sqlite_store.h"

#include <map>
#include <mutex>
#include <optional>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/logging.h"
#include "db/sqlite.h"

namespace tilth {
namespace {

constexpr int64_t kSchemaVersion = 4;
constexpr char kSchema[] = R"(
  CREATE TABLE counter(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE session(
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, device_class TEXT NOT NULL, user TEXT NOT NULL,
    device_tags TEXT NOT NULL, priority INTEGER NOT NULL);
  CREATE TABLE trial(
    number INTEGER PRIMARY KEY,
    session TEXT NOT NULL, id TEXT NOT NULL, trial BLOB NOT NULL, submitted_ms INTEGER NOT NULL,
    token INTEGER NOT NULL, agent TEXT NOT NULL, attempts INTEGER NOT NULL, lost_runs INTEGER NOT NULL,
    result BLOB NOT NULL, spoiled INTEGER NOT NULL DEFAULT 0,
    UNIQUE(session, id));
  CREATE TABLE blob(hash TEXT PRIMARY KEY, frame BLOB NOT NULL);
  CREATE TABLE device(agent TEXT PRIMARY KEY, mode INTEGER NOT NULL, reserved_for TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE poison(artifact TEXT PRIMARY KEY, until_ms INTEGER NOT NULL) WITHOUT ROWID;
)";
// Version 4 added these.
constexpr char kRecords[] = R"(
  CREATE TABLE record(
    agent TEXT PRIMARY KEY, hello BLOB NOT NULL, offline_since_ms INTEGER NOT NULL,
    done INTEGER NOT NULL, failed INTEGER NOT NULL, spoiled INTEGER NOT NULL) WITHOUT ROWID;
)";
constexpr char kSpoiledColumn[] = "ALTER TABLE trial ADD COLUMN spoiled INTEGER NOT NULL DEFAULT 0";

class SqliteStore : public Store {
 public:
  // `blob_reader` is another connection to the same file.
  SqliteStore(std::unique_ptr<sqlite::Database> database, std::unique_ptr<sqlite::Database> blob_reader)
      : database_(std::move(database)), blob_reader_(std::move(blob_reader)) {}

  Status Migrate() {
    TILTH_ASSIGN_OR_RETURN(int64_t version, database_->UserVersion());
    if (version == kSchemaVersion) return absl::OkStatus();
    if (version != 0 && version != 3) {
      return absl::FailedPreconditionError(
          StrCat(database_->path(), " has tracker schema version ", version, ", this tracker writes version ",
                 kSchemaVersion, "; start it with the release that made the file, or with a new state directory"));
    }
    TILTH_ASSIGN_OR_RETURN(auto transaction, sqlite::Transaction::Begin(*database_));
    TILTH_RETURN_IF_ERROR(database_->Execute(version == 0 ? kSchema : kSpoiledColumn));
    TILTH_RETURN_IF_ERROR(database_->Execute(kRecords));
    TILTH_RETURN_IF_ERROR(database_->SetUserVersion(kSchemaVersion));
    return transaction.Commit();
  }

  StatusOr<uint64_t> NextEpoch() override {
    TILTH_RETURN_IF_ERROR(Run("INSERT INTO counter VALUES('epoch', 1) ON CONFLICT DO UPDATE SET value = value + 1"));
    TILTH_ASSIGN_OR_RETURN(sqlite::Statement * select, Prepared("SELECT value FROM counter WHERE name = 'epoch'"));
    select->Reset();
    TILTH_ASSIGN_OR_RETURN(bool found, select->Step());
    TILTH_CHECK(found);
    const int64_t epoch = select->Int64(0);
    select->Reset();
    return static_cast<uint64_t>(epoch);
  }

  StatusOr<StoredContents> Load() override {
    StoredContents contents;
    TILTH_ASSIGN_OR_RETURN(
        auto sessions,
        database_->Prepare("SELECT id, name, device_class, user, device_tags, priority FROM session ORDER BY number"));
    for (;;) {
      TILTH_ASSIGN_OR_RETURN(bool more, sessions.Step());
      if (!more) break;
      StoredContents::SessionContents& added = contents.sessions.emplace_back();
      added.session = {.id = sessions.Text(0),
                       .name = sessions.Text(1),
                       .device_class = sessions.Text(2),
                       .user = sessions.Text(3),
                       .device_tags = absl::StrSplit(sessions.Text(4), '\n', absl::SkipEmpty()),
                       .priority = static_cast<int>(sessions.Int64(5))};
      TILTH_ASSIGN_OR_RETURN(added.trials, LoadTrials(added.session.id));
    }
    TILTH_ASSIGN_OR_RETURN(auto devices, database_->Prepare("SELECT agent, mode, reserved_for FROM device"));
    for (;;) {
      TILTH_ASSIGN_OR_RETURN(bool more, devices.Step());
      if (!more) break;
      contents.devices.push_back({devices.Text(0), static_cast<StoredDevice::Mode>(devices.Int64(1)), devices.Text(2)});
    }
    TILTH_ASSIGN_OR_RETURN(contents.records, LoadRecords());
    TILTH_ASSIGN_OR_RETURN(auto blobs, database_->Prepare("SELECT hash FROM blob"));
    for (;;) {
      TILTH_ASSIGN_OR_RETURN(bool more, blobs.Step());
      if (!more) break;
      contents.blob_hashes.push_back(blobs.Text(0));
    }
    TILTH_ASSIGN_OR_RETURN(auto poison, database_->Prepare("SELECT artifact, until_ms FROM poison"));
    for (;;) {
      TILTH_ASSIGN_OR_RETURN(bool more, poison.Step());
      if (!more) return contents;
      contents.poison.push_back({poison.Text(0), poison.Int64(1)});
    }
  }

  Status Begin() override {
    if (transaction_) return absl::FailedPreconditionError("a transaction is open already");
    TILTH_ASSIGN_OR_RETURN(auto transaction, sqlite::Transaction::Begin(*database_));
    transaction_.emplace(std::move(transaction));
    return absl::OkStatus();
  }

  Status Commit() override {
    if (!transaction_) return absl::FailedPreconditionError("no transaction is open");
    TILTH_RETURN_IF_ERROR(transaction_->Commit());
    transaction_.reset();
    return absl::OkStatus();
  }

  void Rollback() override {
    transaction_.reset();
    // A disk that has no room for a longer log may have room for what is in it, and then the log begins again.
    const Status moved = database_->MoveLog();
    if (!moved.ok()) LogWarning("the tracker's log grows: ", moved.message());
  }

  Status PutSession(const StoredSession& session) override {
    return Run(
        "INSERT INTO session(id, name, device_class, user, device_tags, priority) VALUES(?1, ?2, ?3, ?4, ?5, ?6)"
        " ON CONFLICT(id) DO UPDATE SET name = ?2, device_class = ?3, user = ?4, device_tags = ?5, priority = ?6",
        session.id, session.name, session.device_class, session.user, absl::StrJoin(session.device_tags, "\n"),
        session.priority);
  }

  Status DeleteSession(const std::string& session_id) override {
    TILTH_RETURN_IF_ERROR(Run("DELETE FROM trial WHERE session = ?1", session_id));
    return Run("DELETE FROM session WHERE id = ?1", session_id);
  }

  Status AddTrial(const std::string& session_id, const StoredTrial& trial) override {
    TILTH_ASSIGN_OR_RETURN(
        sqlite::Statement * insert,
        Prepared("INSERT INTO trial(session, id, trial, submitted_ms, token, agent, attempts, lost_runs, result, "
                 "spoiled) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10 FROM session WHERE id = ?1"));
    insert->BindAll(session_id, trial.id, nullptr, trial.submitted_ms, static_cast<int64_t>(trial.lease.token),
                    trial.lease.agent_id, trial.lease.attempts, trial.lease.lost_runs, nullptr, trial.lease.spoiled);
    insert->BindBlob(3, trial.trial).BindBlob(9, trial.result);
    TILTH_RETURN_IF_ERROR(insert->Run(), "storing trial ", trial.id);
    if (database_->Changes() == 0) return absl::NotFoundError(StrCat("no session ", session_id));
    return absl::OkStatus();
  }

  Status PutLease(const std::string& session_id, const std::string& trial_id, const StoredLease& lease) override {
    return RunOnTrial(trial_id, Run("UPDATE trial SET token = ?3, agent = ?4, attempts = ?5, lost_runs = ?6, "
                                    "spoiled = ?7 WHERE session = ?1 AND id = ?2",
                                    session_id, trial_id, static_cast<int64_t>(lease.token), lease.agent_id,
                                    lease.attempts, lease.lost_runs, lease.spoiled));
  }

  Status PutResult(const std::string& session_id, const std::string& trial_id, std::string_view result) override {
    TILTH_ASSIGN_OR_RETURN(sqlite::Statement * update,
                           Prepared("UPDATE trial SET result = ?3 WHERE session = ?1 AND id = ?2"));
    update->BindAll(session_id, trial_id, nullptr);
    update->BindBlob(3, result);
    return RunOnTrial(trial_id, update->Run());
  }

  Status DeleteTrial(const std::string& session_id, const std::string& trial_id) override {
    return Run("DELETE FROM trial WHERE session = ?1 AND id = ?2", session_id, trial_id);
  }

  Status PutBlob(const std::string& hash, std::string_view frame) override {
    TILTH_ASSIGN_OR_RETURN(sqlite::Statement * insert, Prepared("INSERT OR IGNORE INTO blob VALUES(?1, ?2)"));
    insert->BindAll(hash, nullptr);
    insert->BindBlob(2, frame);
    return insert->Run();
  }

  StatusOr<std::string> GetBlob(const std::string& hash) override {
    std::lock_guard lock(blob_reader_mutex_);
    if (!read_blob_) {
      TILTH_ASSIGN_OR_RETURN(auto select, blob_reader_->Prepare("SELECT frame FROM blob WHERE hash = ?1"));
      read_blob_.emplace(std::move(select));
    }
    read_blob_->BindAll(hash);
    TILTH_ASSIGN_OR_RETURN(bool found, read_blob_->Step());
    StatusOr<std::string> frame = absl::NotFoundError(StrCat("no blob ", hash));
    if (found) frame = read_blob_->Blob(0);
    read_blob_->Reset();
    return frame;
  }

  Status DeleteBlob(const std::string& hash) override { return Run("DELETE FROM blob WHERE hash = ?1", hash); }

  Status PutDevice(const StoredDevice& device) override {
    if (device.mode == StoredDevice::Mode::kOpen && device.reserved_for.empty()) {
      return Run("DELETE FROM device WHERE agent = ?1", device.agent_id);
    }
    return Run("INSERT OR REPLACE INTO device VALUES(?1, ?2, ?3)", device.agent_id, static_cast<int>(device.mode),
               device.reserved_for);
  }

  Status PutRecord(const StoredRecord& record) override {
    TILTH_ASSIGN_OR_RETURN(sqlite::Statement * insert,
                           Prepared("INSERT OR REPLACE INTO record VALUES(?1, ?2, ?3, ?4, ?5, ?6)"));
    insert->BindAll(record.agent_id, nullptr, record.offline_since_ms, record.trials_done, record.trials_failed,
                    record.trials_spoiled);
    insert->BindBlob(2, record.hello);
    return insert->Run();
  }

  Status DeleteRecord(const std::string& agent_id) override {
    return Run("DELETE FROM record WHERE agent = ?1", agent_id);
  }

  Status PutPoison(const StoredPoison& poison) override {
    return Run("INSERT OR REPLACE INTO poison VALUES(?1, ?2)", poison.artifact_hash, poison.until_ms);
  }

  Status DeletePoison(const std::string& artifact_hash) override {
    return Run("DELETE FROM poison WHERE artifact = ?1", artifact_hash);
  }

 private:
  // Statements are kept: the tracker runs the same few thousands of times.
  StatusOr<sqlite::Statement*> Prepared(const char* sql) {
    auto found = statements_.find(sql);
    if (found == statements_.end()) {
      TILTH_ASSIGN_OR_RETURN(sqlite::Statement statement, database_->Prepare(sql));
      found = statements_.emplace(sql, std::move(statement)).first;
    }
    return &found->second;
  }

  template <typename... Args>
  Status Run(const char* sql, const Args&... args) {
    TILTH_ASSIGN_OR_RETURN(sqlite::Statement * statement, Prepared(sql));
    statement->BindAll(args...);
    return statement->Run();
  }

  Status RunOnTrial(const std::string& trial_id, Status ran) {
    if (ran.ok() && database_->Changes() == 0) return absl::NotFoundError(StrCat("no trial ", trial_id));
    return ran;
  }

  StatusOr<std::vector<StoredRecord>> LoadRecords() {
    TILTH_ASSIGN_OR_RETURN(
        auto select,
        database_->Prepare("SELECT agent, hello, offline_since_ms, done, failed, spoiled FROM record ORDER BY agent"));
    std::vector<StoredRecord> records;
    for (;;) {
      TILTH_ASSIGN_OR_RETURN(bool more, select.Step());
      if (!more) return records;
      records.push_back({.agent_id = select.Text(0),
                         .hello = select.Blob(1),
                         .offline_since_ms = select.Int64(2),
                         .trials_done = select.Int64(3),
                         .trials_failed = select.Int64(4),
                         .trials_spoiled = select.Int64(5)});
    }
  }

  StatusOr<std::vector<StoredTrial>> LoadTrials(const std::string& session_id) {
    TILTH_ASSIGN_OR_RETURN(sqlite::Statement * select,
                           Prepared("SELECT id, trial, submitted_ms, token, agent, attempts, lost_runs, result, "
                                    "spoiled FROM trial WHERE session = ?1 ORDER BY number"));
    select->BindAll(session_id);
    std::vector<StoredTrial> trials;
    for (;;) {
      TILTH_ASSIGN_OR_RETURN(bool more, select->Step());
      if (!more) break;
      trials.push_back({.id = select->Text(0),
                        .trial = select->Blob(1),
                        .submitted_ms = select->Int64(2),
                        .lease = {.token = static_cast<uint64_t>(select->Int64(3)),
                                  .agent_id = select->Text(4),
                                  .attempts = static_cast<int>(select->Int64(5)),
                                  .lost_runs = static_cast<int>(select->Int64(6)),
                                  .spoiled = static_cast<int>(select->Int64(8))},
                        .result = select->Blob(7)});
    }
    select->Reset();
    return trials;
  }

  std::unique_ptr<sqlite::Database> database_, blob_reader_;
  std::mutex blob_reader_mutex_;
  std::optional<sqlite::Statement> read_blob_;
  std::optional<sqlite::Transaction> transaction_;
  std::map<std::string, sqlite::Statement> statements_;  // before database_ in destruction
};

}  // namespace

StatusOr<std::unique_ptr<Store>> OpenSqliteStore(const std::string& path, Durability durability) {
  TILTH_ASSIGN_OR_RETURN(auto database, sqlite::Database::Open(path, {.durability = durability}));
  TILTH_ASSIGN_OR_RETURN(auto blob_reader, sqlite::Database::Open(path));
  auto store = std::make_unique<SqliteStore>(std::move(database), std::move(blob_reader));
  TILTH_RETURN_IF_ERROR(store->Migrate(), "opening the tracker's state");
  return std::unique_ptr<Store>(std::move(store));
}

}  // namespace tilth
