// Which role may call what, as a table.
#include "farm/access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tilth {
namespace {

using ::testing::HasSubstr;

// The roles that may, one letter each: agent, submitter, admin ("d").
struct Row {
  const char* method;
  const char* roles;
};

TEST(AccessTest, RolesMayCallWhatTheTableSays) {
  const Row kRows[] = {
      {"/tilth.proto.Agents/Attach", "a"},
      {"/tilth.proto.Agents/GetBlob", "a"},
      {"/tilth.proto.Farm/OpenSession", "sd"},
      {"/tilth.proto.Farm/Submit", "sd"},
      {"/tilth.proto.Farm/WaitResults", "sd"},
      {"/tilth.proto.Farm/Cancel", "sd"},
      {"/tilth.proto.Farm/CloseSession", "sd"},
      {"/tilth.proto.Operations/ListDevices", "sd"},
      {"/tilth.proto.Operations/ListJobs", "sd"},
      {"/tilth.proto.Operations/SetDevice", "d"},
      {"/tilth.proto.Operations/CreateToken", "d"},
      {"/tilth.proto.Operations/Revoke", "d"},
      {"/tilth.proto.Enrolment/Renew", "asd"},
      {"/tilth.proto.Nothing/Else", ""},
      {"/grpc.reflection.v1.ServerReflection/X", ""},
      {"", ""},
  };
  const std::pair<char, const char*> kRoles[] = {
      {'a', kRoleAgent}, {'s', kRoleSubmitter}, {'d', kRoleAdmin}, {'-', ""}, {'-', "tracker"}};
  for (const Row& row : kRows) {
    for (const auto& [letter, role] : kRoles) {
      const Status status = CheckMayCall({.name = "n", .role = role}, row.method);
      EXPECT_EQ(status.ok(), std::string_view(row.roles).find(letter) != std::string_view::npos)
          << row.method << " as " << role;
      EXPECT_TRUE(status.ok() || absl::IsPermissionDenied(status)) << status;
    }
    EXPECT_FALSE(NeedsNoCertificate(row.method));
  }
  EXPECT_TRUE(NeedsNoCertificate("/tilth.proto.Enrolment/Join"));
}

TEST(AccessTest, ARefusalSaysWhatItWouldTake) {
  const Status status = CheckMayCall({.name = "alice", .role = kRoleSubmitter}, "/tilth.proto.Operations/Revoke");
  EXPECT_THAT(std::string(ToStd(status.message())),
              ::testing::AllOf(HasSubstr("Revoke takes the role admin"), HasSubstr("alice"), HasSubstr("submitter")));
}

}  // namespace
}  // namespace tilth
