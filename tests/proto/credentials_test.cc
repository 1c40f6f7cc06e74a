// Identities on disk, and tokens.
#include "proto/credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>

#include "base/files.h"
#include "proto/certificate.h"
#include "proto/join.h"
#include "proto/sign_certificate.h"

namespace tilth {
namespace {

using ::testing::HasSubstr;

class CredentialsTest : public ::testing::Test {
 protected:
  CredentialsTest() {
    const KeyAndCertificate authority = *MakeAuthority("ours", 1'700'000'000, 3600);
    identity_.authority_pem = authority.certificate_pem;
    identity_.key_pem = *MakePrivateKey();
    identity_.certificate_pem =
        *SignCertificate(authority, *MakeSigningRequest(identity_.key_pem, "a"),
                         {.name = "alice", .role = "admin", .now_s = 1'700'000'000, .lifetime_s = 3600});
    EXPECT_TRUE(StoreIdentity(Directory(), identity_).ok());
  }
  ~CredentialsTest() override {
    unsetenv("TILTH_IDENTITY");
    unsetenv("TILTH_INSECURE");
  }

  std::string Directory() const { return dir_.File("identity"); }
  std::string Why() const {
    const Status status = LoadIdentity(Directory()).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
    return std::string(ToStd(status.message()));
  }

  const TempDir dir_ = *TempDir::Create();
  Identity identity_;
};

TEST_F(CredentialsTest, AreReadAsTheyWereStoredAndNobodyElseReadsThem) {
  const auto loaded = LoadIdentity(Directory());
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->certificate_pem, identity_.certificate_pem);
  EXPECT_EQ(loaded->key_pem, identity_.key_pem);
  EXPECT_EQ(loaded->authority_pem, identity_.authority_pem);
  struct stat info;
  ASSERT_EQ(stat(Directory().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  ASSERT_EQ(stat((Directory() + "/identity.pem").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_EQ(ListDirectory(Directory())->size(), 2u) << "nothing temporary is left";
}

TEST_F(CredentialsTest, ThatOthersCanReadAreRefused) {
  chmod((Directory() + "/identity.pem").c_str(), 0644);
  EXPECT_THAT(Why(), HasSubstr("chmod 600"));
}

TEST_F(CredentialsTest, ThatAreBrokenAreRefusedWithTheFileAndTheRemedy) {
  const std::string file = Directory() + "/identity.pem";
  const std::string whole = *ReadFile(file);
  for (const std::string& broken : {std::string(), whole.substr(0, whole.size() / 2), whole.substr(whole.size() / 2),
                                    std::string("junk"), identity_.certificate_pem + *MakePrivateKey()}) {
    ASSERT_TRUE(WriteSecretFile(file, broken).ok());
    EXPECT_THAT(Why(), ::testing::AllOf(HasSubstr(file), HasSubstr("join the farm again")));
  }
  ASSERT_TRUE(WriteSecretFile(file, whole).ok());
  ASSERT_TRUE(RemoveFile(Directory() + "/authority.pem").ok());
  EXPECT_THAT(Why(), HasSubstr("authority.pem"));
}

TEST_F(CredentialsTest, AreFoundWhereTheEnvironmentSays) {
  setenv("TILTH_IDENTITY", Directory().c_str(), 1);
  EXPECT_EQ(FindIdentity("lab:9190")->certificate_pem, identity_.certificate_pem);
  setenv("TILTH_IDENTITY", dir_.File("nowhere").c_str(), 1);
  EXPECT_EQ(FindIdentity("127.0.0.1:9190").status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(CredentialsTest, ThatAreNotThereAreNeededOffLoopbackOnly) {
  setenv("XDG_CONFIG_HOME", dir_.path().c_str(), 1);
  EXPECT_TRUE(FindIdentity("127.0.0.1:9190")->Empty());
  EXPECT_TRUE(FindIdentity("localhost:9190")->Empty());
  EXPECT_TRUE(FindIdentity("[::1]:9190")->Empty());
  for (const char* address : {"lab:9190", "10.0.0.1:9190", "localhost.evil.example:9190", "127.evil.example:9190",
                              "0.0.0.0:9190"}) {
    const Status status = FindIdentity(address).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << address;
    EXPECT_THAT(std::string(ToStd(status.message())), HasSubstr("tilth farm join"));
  }
  setenv("TILTH_INSECURE", "1", 1);
  EXPECT_TRUE(FindIdentity("lab:9190")->Empty());
  unsetenv("XDG_CONFIG_HOME");
}

TEST(JoinTokenTest, IsReadAsItWasWritten) {
  const JoinToken token{
      .id = std::string(8, '\xfe'), .secret = std::string(16, '\xff'), .authority_digest = std::string(32, '\x01')};
  const auto read = ParseToken(FormatToken(token));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->id, token.id);
  EXPECT_EQ(read->secret, token.secret);
  EXPECT_EQ(read->authority_digest, token.authority_digest);
}

TEST(JoinTokenTest, ThatIsCutOrAlteredInFormIsRefused) {
  const std::string whole = FormatToken(
      {.id = std::string(8, 'a'), .secret = std::string(16, 'b'), .authority_digest = std::string(32, 'c')});
  for (size_t size = 0; size < whole.size(); ++size) EXPECT_FALSE(ParseToken(whole.substr(0, size)).ok()) << size;
  for (const std::string& text : {whole + ".x", "tilth2" + whole.substr(6), whole + "AAAA", std::string("....")}) {
    EXPECT_FALSE(ParseToken(text).ok()) << text;
  }
}

}  // namespace
}  // namespace tilth
