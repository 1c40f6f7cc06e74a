// Tokens and certificates over a real file and an injected clock.
#include "farm/enrolment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "base/files.h"
#include "proto/certificate.h"
#include "proto/join.h"

namespace tilth {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class EnrolmentTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(CertificateAuthority::Initialize(dir_.File("authority"), {"lab"}, clock_).ok());
    auto authority =
        CertificateAuthority::Open(dir_.File("authority"), clock_, {.member_lifetime_s = 10 * kDaySeconds});
    ASSERT_TRUE(authority.ok()) << authority.status();
    authority_ = std::move(*authority);
    Open();
  }

  void Open() {
    enrolment_.reset();
    auto opened = Enrolment::Open(dir_.File("members.db"), *authority_, clock_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    enrolment_ = std::move(*opened);
  }

  std::string Token(int64_t lifetime_s = 3600) {
    return enrolment_->CreateToken({.role = kRoleAgent, .device_class = "rpi4", .lifetime_s = lifetime_s})->text;
  }
  StatusOr<Certified> Join(const std::string& token, const std::string& agent_id) {
    return enrolment_->Join(token, agent_id, *MakeSigningRequest(*MakePrivateKey(), "x"));
  }
  std::string Refusal(const Status& status) {
    EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << status;
    return std::string(ToStd(status.message()));
  }

  const TempDir dir_ = *TempDir::Create();
  FakeClock clock_;
  std::unique_ptr<CertificateAuthority> authority_;
  std::unique_ptr<Enrolment> enrolment_;
};

TEST_F(EnrolmentTest, ATokenGivesACertificateOfItsTermsOnce) {
  const std::string token = Token();
  const auto certified = Join(token, "agent-1");
  ASSERT_TRUE(certified.ok()) << certified.status();
  const auto info = ReadCertificate(certified->certificate_pem);
  EXPECT_EQ(info->name, "agent-1");
  EXPECT_EQ(info->role, kRoleAgent);
  EXPECT_EQ(info->device_class, "rpi4");
  EXPECT_THAT(Refusal(Join(token, "agent-2").status()), HasSubstr("used already"));
  Open();
  EXPECT_THAT(Refusal(Join(token, "agent-2").status()), HasSubstr("used already")) << "after a restart, too";
}

TEST_F(EnrolmentTest, OfManyThatUseATokenAtOnceOneJoins) {
  const std::string token = Token();
  std::atomic<int> joined = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] { joined += Join(token, StrCat("agent-", i)).ok() ? 1 : 0; });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(joined, 1);
}

TEST_F(EnrolmentTest, TwoProcessesUseATokenOnce) {
  auto other = Enrolment::Open(dir_.File("members.db"), *authority_, clock_);
  ASSERT_TRUE(other.ok()) << other.status();
  const std::string token = (*other)->CreateToken({.role = kRoleAdmin, .name = "alice"})->text;
  const std::string request = *MakeSigningRequest(*MakePrivateKey(), "x");
  EXPECT_TRUE(enrolment_->Join(token, "", request).ok()) << "made by one, used at the other";
  EXPECT_FALSE((*other)->Join(token, "", request).ok());
}

TEST_F(EnrolmentTest, AnExpiredTokenIsRefused) {
  const std::string token = Token(60);
  clock_.AdvanceMs(59'000);
  const std::string second = Token(60);
  ASSERT_TRUE(Join(token, "agent-1").ok());
  clock_.AdvanceMs(60'000);
  EXPECT_THAT(Refusal(Join(second, "agent-2").status()), HasSubstr("expired on"));
}

TEST_F(EnrolmentTest, AWrongTokenIsRefusedAndDoesNotUseUpTheRightOne) {
  const std::string token = Token();
  JoinToken parsed = *ParseToken(token);
  parsed.secret[0] = static_cast<char>(parsed.secret[0] ^ 1);
  EXPECT_THAT(Refusal(Join(FormatToken(parsed), "agent-1").status()), HasSubstr("has not made this token"));
  parsed = *ParseToken(token);
  parsed.id[0] = static_cast<char>(parsed.id[0] ^ 1);
  EXPECT_THAT(Refusal(Join(FormatToken(parsed), "agent-1").status()), HasSubstr("has not made this token"));
  EXPECT_EQ(Join("tilth1.what", "agent-1").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(enrolment_->Join(token, "agent-1", "no request").ok());
  EXPECT_TRUE(Join(token, "agent-1").ok());
}

TEST_F(EnrolmentTest, TheSecretIsNotInTheFile) {
  const std::string token = Token();
  enrolment_.reset();
  std::string bytes = *ReadFile(dir_.File("members.db"));
  if (FileExists(dir_.File("members.db-wal"))) bytes += *ReadFile(dir_.File("members.db-wal"));
  EXPECT_EQ(bytes.find(ParseToken(token)->secret), std::string::npos);
  EXPECT_NE(bytes.find(Sha256(ParseToken(token)->secret)), std::string::npos);
}

TEST_F(EnrolmentTest, AnIdThatIsTakenIsNotGivenAway) {
  ASSERT_TRUE(Join(Token(), "agent-1").ok());
  const std::string token = Token();
  EXPECT_THAT(Refusal(Join(token, "agent-1").status()), HasSubstr("tilth farm revoke agent-1"));
  ASSERT_TRUE(enrolment_->Revoke("agent-1").ok());
  EXPECT_TRUE(Join(token, "agent-1").ok()) << "the refusal has not used the token up";
}

TEST_F(EnrolmentTest, TokensForPeopleAndForDevicesAreNotExchangeable) {
  const std::string person = enrolment_->CreateToken({.role = kRoleSubmitter, .name = "alice"})->text;
  EXPECT_THAT(std::string(ToStd(Join(person, "agent-1").status().message())), HasSubstr("`tilth farm join`"));
  EXPECT_EQ(Join(person, "")->name, "alice");
  EXPECT_THAT(std::string(ToStd(Join(Token(), "").status().message())), HasSubstr("`tilth-agent join`"));
}

TEST_F(EnrolmentTest, TermsThatMakeNoSenseAreRefused) {
  const TokenTerms kTerms[] = {
      {.role = "king", .name = "alice"},
      {.role = kRoleAgent},
      {.role = kRoleSubmitter},
      {.role = kRoleAdmin, .name = "alice smith"},
      {.role = kRoleAdmin, .name = "-rf"},
      {.role = kRoleAdmin, .name = std::string(65, 'a')},
      {.role = kRoleAgent, .device_class = "a/b"},
      {.role = kRoleAgent, .device_class = "rpi4", .lifetime_s = 0},
      {.role = kRoleAgent, .device_class = "rpi4", .lifetime_s = 8 * kDaySeconds},
  };
  for (const TokenTerms& terms : kTerms) {
    EXPECT_EQ(enrolment_->CreateToken(terms).status().code(), absl::StatusCode::kInvalidArgument);
  }
}

TEST_F(EnrolmentTest, RevocationIsByNameOrSerialAndLasts) {
  const auto first = Join(Token(), "agent-1");
  const auto second = Join(Token(), "agent-2");
  EXPECT_EQ(enrolment_->Revoke(second->serial)->size(), 1u);
  EXPECT_EQ(enrolment_->Revoke("agent-1")->size(), 1u);
  EXPECT_EQ(enrolment_->Revoke("agent-1").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(enrolment_->Revoke("").status().code(), absl::StatusCode::kNotFound);
  Open();
  EXPECT_TRUE(enrolment_->IsRevoked(first->serial));
  EXPECT_TRUE(enrolment_->IsRevoked(second->serial));
}

TEST_F(EnrolmentTest, TheLastAdministratorIsNotRevokedBeforeAnotherHasJoined) {
  const auto join_admin = [&](const std::string& name) {
    return Join(enrolment_->CreateToken({.role = kRoleAdmin, .name = name})->text, "");
  };
  const auto old = join_admin("root");
  ASSERT_TRUE(old.ok());
  for (const std::string& whom : {std::string("root"), old->serial}) {
    const Status refused = enrolment_->Revoke(whom).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(refused.message()), HasSubstr("root is the farm's last administrator"));
    EXPECT_THAT(std::string(refused.message()), HasSubstr("tilth farm enroll --role admin"));
  }
  EXPECT_FALSE(enrolment_->IsRevoked(old->serial));

  ASSERT_TRUE(join_admin("root").ok());
  EXPECT_EQ(enrolment_->Revoke("root").status().code(), absl::StatusCode::kFailedPrecondition) << "both are root's";
  EXPECT_EQ(enrolment_->Revoke(old->serial)->size(), 1u);
  EXPECT_TRUE(enrolment_->IsRevoked(old->serial));
}

TEST_F(EnrolmentTest, AnAdministratorWhoseCertificateHasExpiredIsNoOther) {
  const auto join_admin = [&](const std::string& name) {
    return Join(enrolment_->CreateToken({.role = kRoleAdmin, .name = name})->text, "");
  };
  ASSERT_TRUE(join_admin("gone").ok());
  clock_.AdvanceMs(11 * kDaySeconds * 1000);
  ASSERT_TRUE(join_admin("root").ok());
  EXPECT_EQ(enrolment_->Revoke("root").status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(EnrolmentTest, WhoeverIsRevokedIsNotRenewed) {
  const auto first = Join(Token(), "agent-1");
  const std::string request = *MakeSigningRequest(*MakePrivateKey(), "x");
  const auto second = enrolment_->Renew(first->serial, request);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->name, "agent-1");
  EXPECT_EQ(second->device_class, "rpi4");
  ASSERT_EQ(enrolment_->Revoke("agent-1")->size(), 2u);
  EXPECT_EQ(enrolment_->Renew(second->serial, request).status().code(), absl::StatusCode::kUnauthenticated);
}

TEST_F(EnrolmentTest, TheBeginningOfAnAgentsIdWillDoIfItIsTheOnlyOne) {
  ASSERT_TRUE(Join(Token(), "0123456789").ok());
  ASSERT_TRUE(Join(Token(), "0123456700").ok());
  EXPECT_EQ(enrolment_->Revoke("01234567").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(enrolment_->Revoke("0123456").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(enrolment_->Revoke("012345678")->size(), 1u);
  EXPECT_EQ(enrolment_->Revoke("01234567")->size(), 1u);
}

TEST_F(EnrolmentTest, TheServersCertificateRenewsItself) {
  const std::string before = *ReadFile(authority_->server_file());
  clock_.AdvanceMs(50 * kDaySeconds * 1000);
  ASSERT_TRUE(authority_->RenewServerCertificate().ok());
  EXPECT_EQ(*ReadFile(authority_->server_file()), before);
  clock_.AdvanceMs(15 * kDaySeconds * 1000);
  ASSERT_TRUE(authority_->RenewServerCertificate().ok());
  const std::string after = *ReadFile(authority_->server_file());
  EXPECT_THAT(after, Not(before));
  EXPECT_TRUE(
      VerifyCertificate(after, authority_->certificate_pem(), clock_.WallMs() / 1000, CertificatePurpose::kServer)
          .ok());
}

TEST_F(EnrolmentTest, AnAuthorityIsMadeOnceAndRefusedWhenItsKeyIsOpenOrDamaged) {
  const std::string directory = dir_.File("authority");
  EXPECT_EQ(CertificateAuthority::Initialize(directory, {"lab"}, clock_).code(), absl::StatusCode::kAlreadyExists);
  const std::string key = *ReadFile(directory + "/authority.key");
  ASSERT_TRUE(WriteSecretFile(directory + "/authority.key", *MakePrivateKey()).ok());
  EXPECT_THAT(std::string(ToStd(CertificateAuthority::Open(directory, clock_).status().message())),
              HasSubstr("damaged"));
  ASSERT_TRUE(RemoveFile(directory + "/authority.key").ok());
  ASSERT_TRUE(WriteFile(directory + "/authority.key", key).ok());
  EXPECT_THAT(std::string(ToStd(CertificateAuthority::Open(directory, clock_).status().message())),
              HasSubstr("chmod 600"));
}

}  // namespace
}  // namespace tilth
