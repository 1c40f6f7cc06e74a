// The SQLite wrapper on real files: values round-trip, transactions hold, and every bad place has its own message.
#include "db/sqlite.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

namespace tilth::sqlite {
namespace {

using ::testing::HasSubstr;

class SqliteTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "tilth-db-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
  }
  void TearDown() override {
    std::error_code ignored;
    std::filesystem::permissions(directory_, std::filesystem::perms::owner_all, ignored);
    std::filesystem::remove_all(directory_, ignored);
  }
  std::string Path(const std::string& name) const { return (directory_ / name).string(); }

  std::filesystem::path directory_;
};

TEST_F(SqliteTest, ValuesRoundTrip) {
  auto database = Database::Open(Path("a.db"));
  ASSERT_TRUE(database.ok()) << database.status();
  ASSERT_TRUE((*database)->Execute("CREATE TABLE t(a, b, c, d, e)").ok());
  auto insert = (*database)->Prepare("INSERT INTO t VALUES(?1, ?2, ?3, ?4, ?5)");
  ASSERT_TRUE(insert.ok()) << insert.status();
  const std::string bytes("\0\1zero", 6);
  insert->BindAll(int64_t{1} << 60, 0.25, "text", nullptr).BindBlob(5, bytes);
  ASSERT_TRUE(insert->Run().ok());
  insert->BindAll(0, 0.0, "", nullptr).BindBlob(5, "");
  ASSERT_TRUE(insert->Run().ok());

  auto select = (*database)->Prepare("SELECT * FROM t ORDER BY rowid");
  ASSERT_TRUE(select.ok());
  ASSERT_TRUE(*select->Step());
  EXPECT_EQ(select->Int64(0), int64_t{1} << 60);
  EXPECT_EQ(select->Double(1), 0.25);
  EXPECT_EQ(select->Text(2), "text");
  EXPECT_TRUE(select->IsNull(3));
  EXPECT_EQ(select->Blob(4), bytes);
  ASSERT_TRUE(*select->Step());
  EXPECT_FALSE(select->IsNull(2));
  EXPECT_FALSE(select->IsNull(4));
  EXPECT_FALSE(*select->Step());
}

TEST_F(SqliteTest, TransactionRollsBackUnlessCommitted) {
  auto database = Database::Open(Path("a.db"));
  ASSERT_TRUE(database.ok()) << database.status();
  ASSERT_TRUE((*database)->Execute("CREATE TABLE t(a)").ok());
  {
    auto transaction = Transaction::Begin(**database);
    ASSERT_TRUE(transaction.ok());
    ASSERT_TRUE((*database)->Execute("INSERT INTO t VALUES(1)").ok());
  }
  {
    auto transaction = Transaction::Begin(**database);
    ASSERT_TRUE(transaction.ok());
    ASSERT_TRUE((*database)->Execute("INSERT INTO t VALUES(2)").ok());
    ASSERT_TRUE(transaction->Commit().ok());
  }
  auto select = (*database)->Prepare("SELECT sum(a) FROM t");
  ASSERT_TRUE(*select->Step());
  EXPECT_EQ(select->Int64(0), 2);
}

TEST_F(SqliteTest, DuplicateKeyIsAlreadyExists) {
  auto database = Database::Open(Path("a.db"));
  ASSERT_TRUE((*database)->Execute("CREATE TABLE t(a PRIMARY KEY); INSERT INTO t VALUES(1)").ok());
  EXPECT_EQ((*database)->Execute("INSERT INTO t VALUES(1)").code(), absl::StatusCode::kAlreadyExists);
}

TEST_F(SqliteTest, MissingFileIsNotFound) {
  const auto database = Database::Open(Path("none.db"), {.mode = Mode::kReadWrite});
  EXPECT_EQ(database.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(database.status().message(), HasSubstr("none.db: no such file"));
}

TEST_F(SqliteTest, MissingDirectoryIsNamed) {
  const auto database = Database::Open(Path("sub/a.db"));
  EXPECT_EQ(database.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(database.status().message(), HasSubstr("create it first"));
}

TEST_F(SqliteTest, DirectoryIsNoDatabase) {
  EXPECT_EQ(Database::Open(directory_.string()).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(SqliteTest, TextFileIsNoDatabase) {
  std::ofstream(Path("a.db")) << std::string(2000, 'x');
  for (const Mode mode : {Mode::kReadOnly, Mode::kReadWrite, Mode::kCreate}) {
    const auto database = Database::Open(Path("a.db"), {.mode = mode});
    EXPECT_EQ(database.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(database.status().message(), HasSubstr("not an SQLite database"));
  }
}

TEST_F(SqliteTest, OddCharactersInThePathAreKept) {
  const std::string path = Path("a?b#c%20d.db");
  ASSERT_TRUE(Database::Open(path).ok());
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST_F(SqliteTest, SecondWriterIsTurnedAwayWithAdvice) {
  auto first = Database::Open(Path("a.db"));
  auto second = Database::Open(Path("a.db"), {.busy_timeout_ms = 1});
  ASSERT_TRUE(second.ok()) << second.status();
  ASSERT_TRUE((*first)->Execute("CREATE TABLE t(a)").ok());
  auto held = Transaction::Begin(**first);
  ASSERT_TRUE(held.ok());
  const auto refused = Transaction::Begin(**second);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(refused.status().message(), HasSubstr("another process is writing"));
}

TEST_F(SqliteTest, ReaderSeesCommittedRowsWhileAWriterIsInATransaction) {
  auto writer = Database::Open(Path("a.db"));
  ASSERT_TRUE((*writer)->Execute("CREATE TABLE t(a); INSERT INTO t VALUES(1)").ok());
  auto held = Transaction::Begin(**writer);
  ASSERT_TRUE((*writer)->Execute("INSERT INTO t VALUES(2)").ok());
  auto reader = Database::Open(Path("a.db"), {.mode = Mode::kReadOnly, .busy_timeout_ms = 1});
  ASSERT_TRUE(reader.ok()) << reader.status();
  auto select = (*reader)->Prepare("SELECT count(*) FROM t");
  ASSERT_TRUE(select.ok());
  ASSERT_TRUE(*select->Step());
  EXPECT_EQ(select->Int64(0), 1);
}

TEST_F(SqliteTest, WriteThroughAReadOnlyConnectionIsRefused) {
  ASSERT_TRUE((*Database::Open(Path("a.db")))->Execute("CREATE TABLE t(a)").ok());
  auto reader = Database::Open(Path("a.db"), {.mode = Mode::kReadOnly});
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ((*reader)->Execute("INSERT INTO t VALUES(1)").code(), absl::StatusCode::kPermissionDenied);
}

// Runs `body` in a child process, as user nobody when we are root, for whom no file is read-only.
int RunUnprivileged(const std::function<int()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    if (geteuid() == 0 && setuid(65534) != 0) _exit(99);
    _exit(body());
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F(SqliteTest, ReadOnlyFileIsRefusedForWritingAndOpensForReading) {
  ASSERT_TRUE((*Database::Open(Path("a.db")))->Execute("CREATE TABLE t(a)").ok());
  chmod(Path("a.db").c_str(), 0444);
  chmod(directory_.c_str(), 0555);
  EXPECT_EQ(RunUnprivileged([&] {
              const Status status = Database::Open(Path("a.db"), {.mode = Mode::kReadWrite}).status();
              if (status.code() != absl::StatusCode::kPermissionDenied) return 1;
              if (status.message().find("read-only") == std::string_view::npos) return 2;
              auto reader = Database::Open(Path("a.db"), {.mode = Mode::kReadOnly});
              return reader.ok() && (*reader)->Prepare("SELECT * FROM t").ok() ? 0 : 3;
            }),
            0);
}

TEST_F(SqliteTest, FullDiskKeepsWhatWasCommitted) {
  ASSERT_TRUE((*Database::Open(Path("a.db")))->Execute("CREATE TABLE t(a); INSERT INTO t VALUES('kept')").ok());
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit = {64 * 1024, 64 * 1024};
    setrlimit(RLIMIT_FSIZE, &limit);
    auto database = Database::Open(Path("a.db"));
    if (!database.ok()) _exit(1);
    const Status status = (*database)->Execute("INSERT INTO t VALUES(zeroblob(1000000))");
    if (status.code() != absl::StatusCode::kResourceExhausted) _exit(2);
    _exit(status.message().find("disk is full") == std::string_view::npos ? 3 : 0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  auto database = Database::Open(Path("a.db"), {.mode = Mode::kReadOnly});
  auto select = (*database)->Prepare("SELECT group_concat(a) FROM t");
  ASSERT_TRUE(*select->Step());
  EXPECT_EQ(select->Text(0), "kept");
}

TEST(NetworkFileSystem, NfsAndSmbAreRefusedLocalDisksAreNot) {
  EXPECT_TRUE(IsNetworkFileSystem(0x6969));
  EXPECT_TRUE(IsNetworkFileSystem(0xff534d42));
  EXPECT_FALSE(IsNetworkFileSystem(0xef53));
  EXPECT_FALSE(IsNetworkFileSystem(0x01021994));
}

}  // namespace
}  // namespace tilth::sqlite
