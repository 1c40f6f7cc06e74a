// Statements and transactions over SQLite's C API. Opening files is in sqlite_open.cc, error texts in sqlite_error.cc.
#include "db/sqlite.h"

#include <sqlite3.h>

#include "db/sqlite_error.h"

namespace tilth::sqlite {

Statement::Statement(Statement&& other) noexcept : handle_(other.handle_), bind_error_(other.bind_error_) {
  other.handle_ = nullptr;
}

Statement& Statement::operator=(Statement&& other) noexcept {
  std::swap(handle_, other.handle_);
  std::swap(bind_error_, other.bind_error_);
  return *this;
}

Statement::~Statement() { sqlite3_finalize(handle_); }

void Statement::NoteBind(int code) {
  TILTH_CHECK(code != SQLITE_RANGE && code != SQLITE_MISUSE);
  if (code != SQLITE_OK) bind_error_ = code;
}

Statement& Statement::Bind(int parameter, int64_t value) {
  NoteBind(sqlite3_bind_int64(handle_, parameter, value));
  return *this;
}

Statement& Statement::Bind(int parameter, double value) {
  NoteBind(sqlite3_bind_double(handle_, parameter, value));
  return *this;
}

Statement& Statement::Bind(int parameter, std::string_view text) {
  // A null pointer would bind NULL, which an empty text is not.
  const char* data = text.empty() ? "" : text.data();
  NoteBind(sqlite3_bind_text64(handle_, parameter, data, text.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
  return *this;
}

Statement& Statement::BindBlob(int parameter, std::string_view bytes) {
  const char* data = bytes.empty() ? "" : bytes.data();
  NoteBind(sqlite3_bind_blob64(handle_, parameter, data, bytes.size(), SQLITE_TRANSIENT));
  return *this;
}

Statement& Statement::BindNull(int parameter) {
  NoteBind(sqlite3_bind_null(handle_, parameter));
  return *this;
}

StatusOr<bool> Statement::Step() {
  sqlite3* connection = sqlite3_db_handle(handle_);
  if (bind_error_ != SQLITE_OK)
    return ErrorFromCode(connection, std::exchange(bind_error_, SQLITE_OK), "binding a value");
  const int code = sqlite3_step(handle_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  const Status status = ErrorFromCode(connection, code, "running a statement");
  sqlite3_reset(handle_);
  return status;
}

Status Statement::Run() {
  StatusOr<bool> more = true;
  while (more.ok() && *more) more = Step();
  Reset();
  return more.status();
}

void Statement::Reset() { sqlite3_reset(handle_); }

bool Statement::IsNull(int column) const { return sqlite3_column_type(handle_, column) == SQLITE_NULL; }
int64_t Statement::Int64(int column) const { return sqlite3_column_int64(handle_, column); }
double Statement::Double(int column) const { return sqlite3_column_double(handle_, column); }

std::string Statement::Text(int column) const {
  const unsigned char* text = sqlite3_column_text(handle_, column);
  if (text == nullptr) return {};
  return std::string(reinterpret_cast<const char*>(text), sqlite3_column_bytes(handle_, column));
}

std::string Statement::Blob(int column) const {
  const void* bytes = sqlite3_column_blob(handle_, column);
  if (bytes == nullptr) return {};
  return std::string(static_cast<const char*>(bytes), sqlite3_column_bytes(handle_, column));
}

Database::~Database() { sqlite3_close_v2(handle_); }

StatusOr<Statement> Database::Prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v2(handle_, sql.data(), static_cast<int>(sql.size()), &statement, nullptr);
  if (code != SQLITE_OK) return ErrorFromCode(handle_, code, "preparing a statement");
  TILTH_CHECK(statement != nullptr);
  return Statement(statement);
}

Status Database::Execute(const std::string& sql) {
  const int code = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : ErrorFromCode(handle_, code, "running a statement");
}

StatusOr<int64_t> Database::UserVersion() {
  TILTH_ASSIGN_OR_RETURN(Statement statement, Prepare("PRAGMA user_version"));
  TILTH_RETURN_IF_ERROR(statement.Step().status());
  return statement.Int64(0);
}

Status Database::SetUserVersion(int64_t version) { return Execute(StrCat("PRAGMA user_version = ", version)); }

Status Database::MoveLog() {
  const int code = sqlite3_wal_checkpoint_v2(handle_, nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : ErrorFromCode(handle_, code, "moving the log into the database");
}

int64_t Database::LastInsertRowId() const { return sqlite3_last_insert_rowid(handle_); }
int64_t Database::Changes() const { return sqlite3_changes64(handle_); }

StatusOr<Transaction> Transaction::Begin(Database& database) {
  TILTH_RETURN_IF_ERROR(database.Execute("BEGIN IMMEDIATE"), "beginning a transaction");
  return Transaction(&database);
}

Transaction::~Transaction() {
  if (database_ != nullptr) database_->Execute("ROLLBACK").IgnoreError();
}

Status Transaction::Commit() {
  TILTH_CHECK(database_ != nullptr);
  TILTH_RETURN_IF_ERROR(database_->Execute("COMMIT"), "committing a transaction");
  database_ = nullptr;
  return absl::OkStatus();
}

}  // namespace tilth::sqlite
