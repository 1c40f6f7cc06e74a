// A thin owner of SQLite connections, statements and transactions, so that no other code sees the C API.
//
// Files are opened in WAL mode with synchronous=FULL: a committed transaction survives a power cut, and readers never
// block the writer. Errors carry the path and a remedy; their codes are
//   kNotFound            no such file                    kPermissionDenied   file or directory is read-only
//   kInvalidArgument     the file is not an SQLite file  kResourceExhausted  the disk is full
//   kUnavailable         locked by another writer        kDataLoss           the file is damaged
//   kAlreadyExists       a UNIQUE or PRIMARY KEY value is there already
//   kFailedPrecondition  the file system cannot hold a log (network), or another constraint failed
//
// A Database and its statements belong to one thread at a time; two threads open two Databases.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/files.h"
#include "base/status.h"

struct sqlite3;
struct sqlite3_stmt;

namespace tilth::sqlite {

enum class Mode {
  kReadOnly,   // an existing file; works on read-only media, too
  kReadWrite,  // an existing file
  kCreate,     // makes the file if it is not there (its directory must be)
};

struct Options {
  Mode mode = Mode::kCreate;
  int busy_timeout_ms = 10'000;                   // how long a writer waits for another one before kUnavailable
  Durability durability = Durability::kPowerCut;  // of what a transaction has written
};

// A prepared statement. Parameters count from 1 as in SQL ("?1"), columns from 0. Must not outlive its Database.
class Statement {
 public:
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&& other) noexcept;
  ~Statement();

  Statement& Bind(int parameter, int64_t value);
  Statement& Bind(int parameter, double value);
  Statement& Bind(int parameter, std::string_view text);
  Statement& BindBlob(int parameter, std::string_view bytes);
  Statement& BindNull(int parameter);

  // Resets, then binds the arguments to ?1, ?2, …: integers, floating point, text, or nullptr for NULL.
  template <typename... Args>
  Statement& BindAll(const Args&... args) {
    Reset();
    int parameter = 0;
    (BindOne(++parameter, args), ...);
    return *this;
  }

  // Advances to the next row: true while there is one. A failed Bind is reported here.
  StatusOr<bool> Step();
  // Runs a statement whose rows, if any, do not matter, and resets it for the next use.
  Status Run();
  // Forgets rows; bindings stay.
  void Reset();

  bool IsNull(int column) const;
  int64_t Int64(int column) const;
  double Double(int column) const;
  std::string Text(int column) const;
  std::string Blob(int column) const;

 private:
  friend class Database;
  explicit Statement(sqlite3_stmt* handle) : handle_(handle) {}

  void NoteBind(int code);
  template <typename T>
  void BindOne(int parameter, const T& value) {
    if constexpr (std::is_same_v<T, std::nullptr_t>) {
      BindNull(parameter);
    } else if constexpr (std::is_integral_v<T>) {
      Bind(parameter, static_cast<int64_t>(value));
    } else if constexpr (std::is_floating_point_v<T>) {
      Bind(parameter, static_cast<double>(value));
    } else {
      Bind(parameter, std::string_view(value));
    }
  }

  sqlite3_stmt* handle_ = nullptr;
  int bind_error_ = 0;
};

class Database {
 public:
  static StatusOr<std::unique_ptr<Database>> Open(const std::string& path, const Options& options = {});
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // One statement. SQL that does not parse is a bug of the caller's and comes back as kInternal.
  StatusOr<Statement> Prepare(std::string_view sql);
  // Any number of statements separated by ';', rows ignored.
  Status Execute(const std::string& sql);

  // PRAGMA user_version, the schema's number.
  StatusOr<int64_t> UserVersion();
  Status SetUserVersion(int64_t version);

  // Moves what is in the log into the file as far as others' reading allows, which a commit that finds a thousand pages
  // there does by itself.
  Status MoveLog();

  int64_t LastInsertRowId() const;
  int64_t Changes() const;  // rows changed by the last statement
  const std::string& path() const { return path_; }

 private:
  Database(sqlite3* handle, std::string path) : handle_(handle), path_(std::move(path)) {}

  sqlite3* handle_;
  std::string path_;
};

// Takes the write lock at once; rolls back when it is destroyed before Commit.
class Transaction {
 public:
  static StatusOr<Transaction> Begin(Database& database);
  Transaction(Transaction&& other) noexcept : database_(other.database_) { other.database_ = nullptr; }
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();

  Status Commit();

 private:
  explicit Transaction(Database* database) : database_(database) {}

  Database* database_;
};

// Whether statfs's f_type is a network file system, on which SQLite's locks do not hold.
bool IsNetworkFileSystem(uint64_t statfs_type);

}  // namespace tilth::sqlite
