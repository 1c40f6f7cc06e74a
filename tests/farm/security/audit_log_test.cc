// The audit log: one whole JSON object a line, whatever happens to the file and whatever strangers say.
#include "farm/audit_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_split.h"
#include "base/files.h"
#include "nlohmann/json.hpp"

namespace tilth {
namespace {

using Json = nlohmann::json;

class AuditLogTest : public ::testing::Test {
 protected:
  std::unique_ptr<AuditLog> Open(const AuditOptions& options = {}) {
    auto log = AuditLog::Open(path_, clock_, options);
    EXPECT_TRUE(log.ok()) << log.status();
    return std::move(*log);
  }
  std::vector<Json> Lines(const std::string& path) const {
    std::vector<Json> lines;
    for (const auto& line : absl::StrSplit(*ReadFile(path), '\n', absl::SkipEmpty())) {
      lines.push_back(Json::parse(std::string(line), nullptr, false));
    }
    return lines;
  }

  const TempDir dir_ = *TempDir::Create();
  const std::string path_ = dir_.File("audit.log");
  FakeClock clock_;
  const Peer alice_{.name = "alice", .role = kRoleSubmitter, .serial = "5f"};
};

TEST_F(AuditLogTest, SaysWhoDidWhatWhen) {
  auto log = Open();
  ASSERT_TRUE(log->Write(alice_, {.action = "submit", .details = {{"session", "s"}}, .artifacts = {"aa", "bb"}}).ok());
  const std::vector<Json> lines = Lines(path_);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0], Json::parse(R"({"time":"2023-11-14T22:13:21.000Z","action":"submit","name":"alice",
      "role":"submitter","serial":"5f","session":"s","artifacts":["aa","bb"]})"));
}

TEST_F(AuditLogTest, KeepsItsLinesWholeAfterOneThatWasTorn) {
  ASSERT_TRUE(WriteFile(path_, R"({"time":"20)").ok());
  ASSERT_TRUE(Open()->Write(alice_, {.action = "join"}).ok());
  const std::vector<Json> lines = Lines(path_);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[1]["action"], "join");
}

TEST_F(AuditLogTest, RotatesBySizeAndForgetsTheOldest) {
  auto log = Open({.max_bytes = 1000, .kept_files = 2});
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(log->Write(alice_, {.action = StrCat("number ", i)}).ok());
  EXPECT_EQ(*ListDirectory(dir_.path()), (std::vector<std::string>{"audit.log", "audit.log.1", "audit.log.2"}));
  EXPECT_EQ(Lines(path_).back()["action"], "number 59");
  EXPECT_LE(ReadFile(path_)->size(), 1000u);
  EXPECT_LE(ReadFile(path_ + ".1")->size(), 1000u);
}

TEST_F(AuditLogTest, StrangersCannotFillIt) {
  auto log = Open({.refusals_per_minute = 3});
  for (int i = 0; i < 1000; ++i) log->WriteRefusal({}, "/x/Y", absl::UnauthenticatedError("no \xff\n certificate"));
  EXPECT_EQ(Lines(path_).size(), 3u);
  clock_.AdvanceMs(60'000);
  log->WriteRefusal({}, "/x/Y", absl::UnauthenticatedError("no"));
  const std::vector<Json> lines = Lines(path_);
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_FALSE(lines[0].is_discarded());
  EXPECT_EQ(lines[3]["refusals_not_written"], "997");
}

TEST_F(AuditLogTest, ThatCannotBeOpenedIsAnError) {
  EXPECT_FALSE(AuditLog::Open(dir_.File("no/such/directory/audit.log"), clock_).ok());
}

}  // namespace
}  // namespace tilth
