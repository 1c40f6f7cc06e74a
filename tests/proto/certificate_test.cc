// Keys, signing requests and certificates: what is signed verifies, and nothing else does.
#include "proto/certificate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/sign_certificate.h"

namespace tilth {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kNow = 1'700'000'000, kHour = 3600;

class CertificateTest : public ::testing::Test {
 protected:
  std::string Sign(const KeyAndCertificate& authority, CertificateContents contents) {
    key_ = *MakePrivateKey();
    contents.now_s = kNow;
    if (contents.lifetime_s == 0) contents.lifetime_s = kHour;
    auto signed_one = SignCertificate(authority, *MakeSigningRequest(key_, "whatever it asks for"), contents);
    EXPECT_TRUE(signed_one.ok()) << signed_one.status();
    return signed_one.value_or("");
  }

  static std::string Reason(const Status& status) {
    EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated) << status;
    return std::string(ToStd(status.message()));
  }

  const KeyAndCertificate authority_ = *MakeAuthority("ours", kNow, 10 * kHour);
  const KeyAndCertificate other_ = *MakeAuthority("theirs", kNow, 10 * kHour);
  std::string key_;
};

TEST_F(CertificateTest, SaysWhatTheAuthorityDecidedAndNotWhatWasAskedFor) {
  const std::string pem = Sign(authority_, {.name = "alice", .role = "submitter", .device_class = "rpi4"});
  const auto info = ReadCertificate(pem);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->name, "alice");
  EXPECT_EQ(info->role, "submitter");
  EXPECT_EQ(info->device_class, "rpi4");
  EXPECT_EQ(info->not_after_s, kNow + kHour);
  EXPECT_EQ(info->serial.size(), 32u);
  EXPECT_TRUE(VerifyCertificate(pem, authority_.certificate_pem, kNow, CertificatePurpose::kClient).ok());
  EXPECT_TRUE(CheckKeyMatches(key_, pem).ok());
  EXPECT_FALSE(CheckKeyMatches(*MakePrivateKey(), pem).ok());
}

TEST_F(CertificateTest, IsRefusedWithTheReason) {
  const std::string pem = Sign(authority_, {.name = "alice"});
  const auto verify = [&](const std::string& authority, int64_t now_s) {
    return Reason(VerifyCertificate(pem, authority, now_s, CertificatePurpose::kClient));
  };
  EXPECT_THAT(verify(authority_.certificate_pem, kNow + kHour + 1), HasSubstr("expired on 2023-11-14"));
  EXPECT_THAT(verify(authority_.certificate_pem, kNow - kHour), HasSubstr("clock"));
  EXPECT_THAT(verify(other_.certificate_pem, kNow), HasSubstr("not from this farm's authority"));
  EXPECT_FALSE(VerifyCertificate("no certificate", authority_.certificate_pem, kNow, CertificatePurpose::kClient).ok());
}

TEST_F(CertificateTest, OfAMemberDoesNotServeAndOfTheServerIsNoMember) {
  const std::string member = Sign(authority_, {.name = "alice"});
  Reason(VerifyCertificate(member, authority_.certificate_pem, kNow, CertificatePurpose::kServer));
  const std::string server = Sign(authority_, {.name = "t", .server_names = {"lab.example", "10.0.0.1", "::1"}});
  Reason(VerifyCertificate(server, authority_.certificate_pem, kNow, CertificatePurpose::kClient));
  EXPECT_TRUE(VerifyCertificate(server, authority_.certificate_pem, kNow, CertificatePurpose::kServer).ok());
}

TEST_F(CertificateTest, AMemberCannotSignForOthers) {
  const std::string member = Sign(authority_, {.name = "alice"});
  const KeyAndCertificate as_authority{.key_pem = key_, .certificate_pem = member};
  const std::string forged = Sign(as_authority, {.name = "mallory", .role = "admin"});
  Reason(VerifyCertificate(forged, authority_.certificate_pem, kNow, CertificatePurpose::kClient));
}

TEST_F(CertificateTest, IsNotMadeOfARequestThatIsBrokenOrOfAnotherKey) {
  const CertificateContents contents{.name = "alice", .now_s = kNow, .lifetime_s = kHour};
  const std::string request = *MakeSigningRequest(*MakePrivateKey(), "alice");
  EXPECT_FALSE(SignCertificate(authority_, "", contents).ok());
  EXPECT_FALSE(SignCertificate(authority_, request.substr(0, request.size() / 2), contents).ok());
  std::string altered = request;
  for (size_t at = request.size() / 3; at < request.size() / 3 + 40; ++at) {
    if (altered[at] == '\n') continue;
    altered[at] = altered[at] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(SignCertificate(authority_, altered, contents).ok()) << at;
    altered[at] = request[at];
  }
}

TEST_F(CertificateTest, NamesThatWouldSayMoreAreRefused) {
  const std::string request = *MakeSigningRequest(*MakePrivateKey(), "t");
  for (const char* name : {"a,DNS:b", "a b", "", "a\nb"}) {
    EXPECT_FALSE(
        SignCertificate(authority_, request, {.name = "t", .now_s = kNow, .lifetime_s = kHour, .server_names = {name}})
            .ok())
        << name;
  }
}

TEST_F(CertificateTest, IsDueForRenewalAfterTwoThirdsOfItsLife) {
  const CertificateInfo info{.not_before_s = 0, .not_after_s = 300};
  EXPECT_FALSE(info.DueForRenewal(199));
  EXPECT_TRUE(info.DueForRenewal(200));
}

}  // namespace
}  // namespace tilth
