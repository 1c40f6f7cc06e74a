// A tracker whose disk takes nothing more: it says so, does not flood its log, and goes on by itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/files.h"
#include "base/subprocess.h"
#include "farm/client.h"
#include "farm/operations.h"

namespace tilth {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class FullDiskTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto directory = TempDir::Create();
    ASSERT_TRUE(directory.ok());
    directory_.emplace(*std::move(directory));
    auto tracker =
        Subprocess::Start({.argv = {StrCat(TILTH_BINARY_DIR, "/bin/tilth"), "farm", "serve", "--listen", "127.0.0.1:0",
                                    "--state", directory_->File("state"), "--port-file", directory_->File("port")},
                           .stdout_to = ChildStream::kDiscard,
                           .stderr_to = ChildStream::kCapture});
    ASSERT_TRUE(tracker.ok()) << tracker.status();
    tracker_ = *std::move(tracker);
    while (!FileExists(directory_->File("port"))) {
      ASSERT_FALSE(tracker_->Wait(10).ok()) << "it ended before it listened";
    }
    address_ = StrCat("127.0.0.1:", std::stoi(*ReadFile(directory_->File("port"))));
  }

  // What a full disk does to a process, one with the limit of a file's size meets, too: its writes fail.
  void LimitFiles(rlim_t bytes) {
    rlimit limit{};
    ASSERT_EQ(prlimit(tracker_->pid(), RLIMIT_FSIZE, nullptr, &limit), 0);
    limit.rlim_cur = std::min(bytes, limit.rlim_max);
    ASSERT_EQ(prlimit(tracker_->pid(), RLIMIT_FSIZE, &limit, nullptr), 0);
  }
  void LetItWrite(bool may) { LimitFiles(may ? RLIM_INFINITY : 1); }

  StatusOr<std::unique_ptr<FarmClient>> Connect(int64_t timeout_ms) {
    return FarmClient::Connect({.address = address_, .device_class = "c", .connect_timeout_ms = timeout_ms});
  }

  std::string EndItAndReadItsLog() {
    tracker_->Kill(SIGTERM);
    EXPECT_TRUE(tracker_->Wait(60'000).ok());
    std::string log;
    std::array<char, 4096> part;
    for (ssize_t n; (n = read(tracker_->stderr_fd().get(), part.data(), part.size())) > 0;) {
      log.append(part.data(), static_cast<size_t>(n));
    }
    return log;
  }

  std::optional<TempDir> directory_;
  std::unique_ptr<Subprocess> tracker_;
  std::string address_;
};

TEST_F(FullDiskTest, ClientsAndOperatorsAreToldWhatTheTrackerSaysAndItGoesOnByItself) {
  LetItWrite(false);
  const Status refused = Connect(500).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable);
  const auto says_why = AllOf(HasSubstr(StrCat("the tracker at ", address_, " answers, but cannot work")),
                              HasSubstr("state cannot be stored"), HasSubstr("tracker.db"), HasSubstr("by itself"),
                              Not(HasSubstr("start one with")));
  EXPECT_THAT(std::string(refused.message()), says_why);
  EXPECT_THAT(std::string(ListDevices(address_, "").status().message()), says_why);

  LetItWrite(true);
  const auto client = Connect(60'000);
  EXPECT_TRUE(client.ok()) << client.status();
}

TEST_F(FullDiskTest, TheTrackerLogsTheFailureOnceAndThatItGoesOn) {
  LetItWrite(false);
  EXPECT_FALSE(Connect(1'000).ok());
  LetItWrite(true);
  EXPECT_TRUE(Connect(60'000).ok());
  const std::string log = EndItAndReadItsLog();
  EXPECT_LE(std::count(log.begin(), log.end(), '\n'), 6) << log;
  EXPECT_THAT(log, HasSubstr("goes on from what is stored"));
}

TEST_F(FullDiskTest, ALogThatMayNotGrowIsMovedIntoTheDatabaseWhichHasRoom) {
  const std::string log = StrCat(directory_->File("state"), "/tracker.db-wal");
  const auto begun_bytes = std::filesystem::file_size(log);
  LimitFiles(begun_bytes + (rlim_t{64} << 10));
  for (int session = 0; session < 100; ++session) {
    const auto client = Connect(60'000);
    ASSERT_TRUE(client.ok()) << session << ": " << client.status();
  }
}

}  // namespace
}  // namespace tilth
