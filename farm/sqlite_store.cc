#include "farm/sqlite_store.h"

#include <map>
#include <optional>

#include "db/sqlite.h"

namespace tilth {
namespace {

constexpr int64_t kSchemaVersion = 1;
constexpr char kSchema[] = R"(
  CREATE TABLE counter(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE session(id TEXT PRIMARY KEY, name TEXT NOT NULL, device_class TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE trial(
    number INTEGER PRIMARY KEY,
    session TEXT NOT NULL, id TEXT NOT NULL, trial BLOB NOT NULL, submitted_ms INTEGER NOT NULL,
    token INTEGER NOT NULL, agent TEXT NOT NULL, attempts INTEGER NOT NULL, lost_runs INTEGER NOT NULL,
    result BLOB NOT NULL,
    UNIQUE(session, id));
  CREATE TABLE blob(hash TEXT PRIMARY KEY, bytes BLOB NOT NULL);
  CREATE TABLE draining(agent TEXT PRIMARY KEY) WITHOUT ROWID;
)";

class SqliteStore : public Store {
 public:
  explicit SqliteStore(std::unique_ptr<sqlite::Database> database) : database_(std::move(database)) {}

  Status Migrate() {
    TILTH_ASSIGN_OR_RETURN(int64_t version, database_->UserVersion());
    if (version == kSchemaVersion) return absl::OkStatus();
    if (version != 0) {
      return absl::FailedPreconditionError(
          StrCat(database_->path(), " has tracker schema version ", version, ", this tracker writes version ",
                 kSchemaVersion, "; start it with the release that made the file, or with a new state directory"));
    }
    TILTH_ASSIGN_OR_RETURN(auto transaction, sqlite::Transaction::Begin(*database_));
    TILTH_RETURN_IF_ERROR(database_->Execute(kSchema));
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
    TILTH_ASSIGN_OR_RETURN(auto sessions, database_->Prepare("SELECT id, name, device_class FROM session"));
    for (;;) {
      TILTH_ASSIGN_OR_RETURN(bool more, sessions.Step());
      if (!more) break;
      StoredContents::SessionContents& added = contents.sessions.emplace_back();
      added.session = {sessions.Text(0), sessions.Text(1), sessions.Text(2)};
      TILTH_ASSIGN_OR_RETURN(added.trials, LoadTrials(added.session.id));
    }
    TILTH_ASSIGN_OR_RETURN(auto draining, database_->Prepare("SELECT agent FROM draining"));
    for (;;) {
      TILTH_ASSIGN_OR_RETURN(bool more, draining.Step());
      if (!more) return contents;
      contents.draining_agents.push_back(draining.Text(0));
    }
  }

  Status PutSession(const StoredSession& session) override {
    return Run("INSERT OR REPLACE INTO session VALUES(?1, ?2, ?3)", session.id, session.name, session.device_class);
  }

  Status DeleteSession(const std::string& session_id) override {
    TILTH_ASSIGN_OR_RETURN(auto transaction, sqlite::Transaction::Begin(*database_));
    TILTH_RETURN_IF_ERROR(Run("DELETE FROM trial WHERE session = ?1", session_id));
    TILTH_RETURN_IF_ERROR(Run("DELETE FROM session WHERE id = ?1", session_id));
    return transaction.Commit();
  }

  Status AddTrials(const std::string& session_id, const std::vector<StoredTrial>& trials) override {
    TILTH_ASSIGN_OR_RETURN(auto transaction, sqlite::Transaction::Begin(*database_));
    TILTH_ASSIGN_OR_RETURN(
        sqlite::Statement * insert,
        Prepared("INSERT INTO trial(session, id, trial, submitted_ms, token, agent, attempts, lost_runs, result)"
                 " SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9 FROM session WHERE id = ?1"));
    for (const StoredTrial& trial : trials) {
      insert->BindAll(session_id, trial.id, nullptr, trial.submitted_ms, static_cast<int64_t>(trial.lease.token),
                      trial.lease.agent_id, trial.lease.attempts, trial.lease.lost_runs, nullptr);
      insert->BindBlob(3, trial.trial).BindBlob(9, trial.result);
      TILTH_RETURN_IF_ERROR(insert->Run(), "storing trial ", trial.id);
      if (database_->Changes() == 0) return absl::NotFoundError(StrCat("no session ", session_id));
    }
    return transaction.Commit();
  }

  Status PutLease(const std::string& session_id, const std::string& trial_id, const StoredLease& lease) override {
    return RunOnTrial(trial_id, Run("UPDATE trial SET token = ?3, agent = ?4, attempts = ?5, lost_runs = ?6"
                                    " WHERE session = ?1 AND id = ?2",
                                    session_id, trial_id, static_cast<int64_t>(lease.token), lease.agent_id,
                                    lease.attempts, lease.lost_runs));
  }

  Status PutResult(const std::string& session_id, const std::string& trial_id, std::string_view result) override {
    TILTH_ASSIGN_OR_RETURN(sqlite::Statement * update,
                           Prepared("UPDATE trial SET result = ?3 WHERE session = ?1 AND id = ?2"));
    update->BindAll(session_id, trial_id, nullptr);
    update->BindBlob(3, result);
    return RunOnTrial(trial_id, update->Run());
  }

  Status DeleteTrials(const std::string& session_id, const std::vector<std::string>& trial_ids) override {
    TILTH_ASSIGN_OR_RETURN(auto transaction, sqlite::Transaction::Begin(*database_));
    for (const std::string& id : trial_ids) {
      TILTH_RETURN_IF_ERROR(Run("DELETE FROM trial WHERE session = ?1 AND id = ?2", session_id, id));
    }
    return transaction.Commit();
  }

  Status PutBlob(const std::string& hash, std::string_view bytes) override {
    TILTH_ASSIGN_OR_RETURN(sqlite::Statement * insert, Prepared("INSERT OR REPLACE INTO blob VALUES(?1, ?2)"));
    insert->BindAll(hash, nullptr);
    insert->BindBlob(2, bytes);
    return insert->Run();
  }

  StatusOr<std::string> GetBlob(const std::string& hash) override {
    TILTH_ASSIGN_OR_RETURN(sqlite::Statement * select, Prepared("SELECT bytes FROM blob WHERE hash = ?1"));
    select->BindAll(hash);
    TILTH_ASSIGN_OR_RETURN(bool found, select->Step());
    StatusOr<std::string> bytes = absl::NotFoundError(StrCat("no blob ", hash));
    if (found) bytes = select->Blob(0);
    select->Reset();
    return bytes;
  }

  StatusOr<bool> HasBlob(const std::string& hash) override {
    TILTH_ASSIGN_OR_RETURN(sqlite::Statement * select, Prepared("SELECT 1 FROM blob WHERE hash = ?1"));
    select->BindAll(hash);
    TILTH_ASSIGN_OR_RETURN(bool found, select->Step());
    select->Reset();
    return found;
  }

  Status DeleteAllBlobs() override { return Run("DELETE FROM blob"); }

  Status SetDraining(const std::string& agent_id, bool draining) override {
    return draining ? Run("INSERT OR IGNORE INTO draining VALUES(?1)", agent_id)
                    : Run("DELETE FROM draining WHERE agent = ?1", agent_id);
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

  StatusOr<std::vector<StoredTrial>> LoadTrials(const std::string& session_id) {
    TILTH_ASSIGN_OR_RETURN(sqlite::Statement * select,
                           Prepared("SELECT id, trial, submitted_ms, token, agent, attempts, lost_runs, result"
                                    " FROM trial WHERE session = ?1 ORDER BY number"));
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
                                  .lost_runs = static_cast<int>(select->Int64(6))},
                        .result = select->Blob(7)});
    }
    select->Reset();
    return trials;
  }

  std::unique_ptr<sqlite::Database> database_;
  std::map<std::string, sqlite::Statement> statements_;  // before database_ in destruction
};

}  // namespace

StatusOr<std::unique_ptr<Store>> OpenSqliteStore(const std::string& path, Durability durability) {
  TILTH_ASSIGN_OR_RETURN(auto database, sqlite::Database::Open(path, {.durability = durability}));
  auto store = std::make_unique<SqliteStore>(std::move(database));
  TILTH_RETURN_IF_ERROR(store->Migrate(), "opening the tracker's state");
  return std::unique_ptr<Store>(std::move(store));
}

}  // namespace tilth
