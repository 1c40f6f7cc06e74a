// Who gets into a secured tracker, and who does not and why, over real TLS on loopback.
#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <thread>

#include "base/files.h"
#include "base/hash.h"
#include "farm/security.h"
#include "farm/security/secured_farm.h"
#include "proto/blob.h"
#include "proto/certificate.h"
#include "proto/dial.h"
#include "proto/farm.grpc.pb.h"
#include "proto/grpc_status.h"

namespace tilth {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::chrono::seconds kTimeout{20};

std::string Text(const Status& status) { return std::string(ToStd(status.message())); }

class SecuredFarmTest : public ::testing::Test {
 protected:
  std::shared_ptr<grpc::Channel> Dial(const Identity& identity) { return DialTracker(farm_.address(), identity); }

  static void SetDeadline(grpc::ClientContext& context) {
    context.set_deadline(std::chrono::system_clock::now() + kTimeout);
  }

  Status OpenSession(const Identity& identity, const std::string& id, int priority = 0) {
    proto::OpenSessionRequest request;
    request.set_protocol_version(kProtocolVersion);
    request.set_session_id(id);
    request.set_device_class("rpi4");
    request.set_user("root");  // which does not count
    request.set_priority(priority);
    proto::OpenSessionReply reply;
    grpc::ClientContext context;
    SetDeadline(context);
    return FromGrpc(proto::Farm::NewStub(Dial(identity))->OpenSession(&context, request, &reply));
  }

  Status CancelAll(const Identity& identity, const std::string& session) {
    proto::CancelRequest request;
    request.set_session_id(session);
    proto::CancelReply reply;
    grpc::ClientContext context;
    SetDeadline(context);
    return FromGrpc(proto::Farm::NewStub(Dial(identity))->Cancel(&context, request, &reply));
  }

  StatusOr<int> Devices(const Identity& identity) {
    proto::ListDevicesRequest request;
    request.set_protocol_version(kProtocolVersion);
    proto::ListDevicesReply reply;
    grpc::ClientContext context;
    SetDeadline(context);
    TILTH_RETURN_IF_ERROR(FromGrpc(proto::Operations::NewStub(Dial(identity))->ListDevices(&context, request, &reply)));
    return reply.devices_size();
  }

  StatusOr<int> Revoke(const Identity& identity, const std::string& name) {
    proto::RevokeRequest request;
    request.set_protocol_version(kProtocolVersion);
    request.set_name(name);
    proto::RevokeReply reply;
    grpc::ClientContext context;
    SetDeadline(context);
    TILTH_RETURN_IF_ERROR(FromGrpc(proto::Operations::NewStub(Dial(identity))->Revoke(&context, request, &reply)));
    return reply.certificates();
  }

  // The first answer to an agent's hello, then how the stream ends; `meanwhile` is called when it is welcome.
  Status Attach(const Identity& identity, const std::string& agent_id, const std::string& device_class,
                const std::function<void()>& meanwhile = nullptr) {
    auto stub = proto::Agents::NewStub(Dial(identity));
    grpc::ClientContext context;
    SetDeadline(context);
    auto stream = stub->Attach(&context);
    proto::AgentMessage hello;
    hello.mutable_hello()->set_protocol_version(kProtocolVersion);
    hello.mutable_hello()->set_agent_id(agent_id);
    hello.mutable_hello()->set_slots(1);
    hello.mutable_hello()->mutable_device()->set_device_class(device_class);
    stream->Write(hello);
    proto::TrackerMessage answer;
    if (stream->Read(&answer)) {
      EXPECT_TRUE(answer.has_welcome());
      if (meanwhile == nullptr) {
        context.TryCancel();
      } else {
        meanwhile();
      }
      while (stream->Read(&answer)) {
      }
    }
    return FromGrpc(stream->Finish());
  }

  SecuredFarm farm_;
};

TEST_F(SecuredFarmTest, MembersDoWhatTheirRoleMayDo) {
  const Identity alice = farm_.Submitter("alice");
  EXPECT_TRUE(OpenSession(alice, "s1").ok());
  EXPECT_TRUE(CancelAll(alice, "s1").ok());
  EXPECT_TRUE(Devices(alice).ok());
  const Identity agent = farm_.Agent("agent-1");
  EXPECT_EQ(Attach(agent, "agent-1", "rpi4").code(), absl::StatusCode::kCancelled) << "by us, once it was welcome";
  EXPECT_EQ(*Devices(farm_.admin), 1);
  EXPECT_TRUE(CancelAll(farm_.admin, "s1").ok()) << "administrators may";
  EXPECT_TRUE(OpenSession(farm_.admin, "s2", 5).ok());
}

TEST_F(SecuredFarmTest, RolesDoNotGoFurther) {
  const Identity alice = farm_.Submitter("alice"), agent = farm_.Agent("agent-1");
  const auto refused = [](const Status& status) {
    EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << status;
    return Text(status);
  };
  EXPECT_THAT(refused(Revoke(alice, "root").status()), HasSubstr("takes the role admin"));
  EXPECT_THAT(refused(OpenSession(alice, "s", 1)), HasSubstr("priority"));
  EXPECT_THAT(refused(Attach(alice, "alice", "rpi4")), HasSubstr("takes the role agent"));
  EXPECT_THAT(refused(OpenSession(agent, "s")), HasSubstr("takes the role submitter or admin"));
  refused(Devices(agent).status());
  refused(Revoke(agent, "root").status());
  EXPECT_EQ(CancelAll(farm_.admin, "s").code(), absl::StatusCode::kNotFound) << "no session was opened";
  EXPECT_THAT(farm_.AuditLog(), AllOf(HasSubstr("\"action\":\"refused\",\"name\":\"alice\""),
                                      HasSubstr("/tilth.proto.Operations/Revoke"), Not(HasSubstr("\"revoke\""))));
}

TEST_F(SecuredFarmTest, SessionsBelongToWhoOpenedThem) {
  const Identity alice = farm_.Submitter("alice"), bob = farm_.Submitter("bob");
  ASSERT_TRUE(OpenSession(alice, "s").ok());
  EXPECT_EQ(OpenSession(bob, "s").code(), absl::StatusCode::kPermissionDenied);
  const Status cancelled = CancelAll(bob, "s");
  EXPECT_EQ(cancelled.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(Text(cancelled), HasSubstr("is not bob's"));
  farm_.Start();
  EXPECT_EQ(CancelAll(bob, "s").code(), absl::StatusCode::kPermissionDenied) << "after a restart, too";
  EXPECT_TRUE(CancelAll(alice, "s").ok());
}

TEST_F(SecuredFarmTest, AStolenIdentityIsNoOtherAgentAndNoOtherClass) {
  const Identity agent = farm_.Agent("agent-1");
  const Status other_id = Attach(agent, "agent-2", "rpi4");
  EXPECT_EQ(other_id.code(), absl::StatusCode::kPermissionDenied) << other_id;
  EXPECT_THAT(Text(other_id), HasSubstr("for the agent agent-1, not for agent-2"));
  const Status other_class = Attach(agent, "agent-1", "epyc");
  EXPECT_EQ(other_class.code(), absl::StatusCode::kPermissionDenied) << other_class;
  EXPECT_THAT(Text(other_class), HasSubstr("class rpi4, not epyc"));
  EXPECT_EQ(*Devices(farm_.admin), 0);
}

TEST_F(SecuredFarmTest, WithoutACertificateThereIsOnlyJoining) {
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = farm_.admin.authority_pem;
  const auto channel = DialWith(farm_.address(), grpc::SslCredentials(options));
  proto::ListDevicesRequest request;
  proto::ListDevicesReply reply;
  grpc::ClientContext context;
  const grpc::Status status = proto::Operations::NewStub(channel)->ListDevices(&context, request, &reply);
  EXPECT_EQ(status.error_code(), grpc::UNAUTHENTICATED);
  EXPECT_THAT(status.error_message(), HasSubstr("shows none: join the farm with a token"));
}

TEST_F(SecuredFarmTest, ACertificateOfAnotherAuthorityIsRefused) {
  const KeyAndCertificate foreign = *MakeAuthority("Tilth farm authority", SystemClock().WallMs() / 1000, 3600);
  Identity forged{.authority_pem = farm_.admin.authority_pem, .key_pem = *MakePrivateKey()};
  forged.certificate_pem = *SignCertificate(
      foreign, *MakeSigningRequest(forged.key_pem, "x"),
      {.name = "root", .role = kRoleAdmin, .now_s = SystemClock().WallMs() / 1000, .lifetime_s = 3600});
  const Status status = Devices(forged).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated) << status;
  EXPECT_THAT(Text(status), HasSubstr("not from this farm's authority"));
}

TEST_F(SecuredFarmTest, ACertificateWithoutItsKeyIsRefused) {
  Identity stolen = farm_.admin;
  stolen.key_pem = *MakePrivateKey();
  EXPECT_FALSE(Devices(stolen).ok());
}

TEST_F(SecuredFarmTest, ACertificateWithoutARoleIsRefused) {
  Identity nobody{.authority_pem = farm_.admin.authority_pem, .key_pem = *MakePrivateKey()};
  nobody.certificate_pem =
      *farm_.security->authority().Issue(*MakeSigningRequest(nobody.key_pem, "x"), "nobody", "", "");
  const Status status = Devices(nobody).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << status;
  EXPECT_THAT(Text(status), HasSubstr("nobody is for no role"));
}

TEST_F(SecuredFarmTest, AnExpiredCertificateIsRefused) {
  const Identity alice = farm_.Submitter("alice");
  farm_.clock.Advance(91 * kDaySeconds);
  const Status status = OpenSession(alice, "s");
  EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated) << status;
  EXPECT_THAT(Text(status), HasSubstr("expired on"));
}

TEST_F(SecuredFarmTest, RevocationClosesStreamsAndLasts) {
  const Identity agent = farm_.Agent("agent-1");
  const Status ended = Attach(agent, "agent-1", "rpi4", [&] { EXPECT_EQ(*Revoke(farm_.admin, "agent-1"), 1); });
  EXPECT_EQ(ended.code(), absl::StatusCode::kUnauthenticated) << ended;
  EXPECT_THAT(Text(ended), HasSubstr("has been revoked"));
  EXPECT_EQ(Attach(agent, "agent-1", "rpi4").code(), absl::StatusCode::kUnauthenticated);
  farm_.Start();
  EXPECT_EQ(Attach(agent, "agent-1", "rpi4").code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(farm_.AuditLog(), HasSubstr("\"action\":\"revoke\",\"name\":\"root\""));
}

TEST_F(SecuredFarmTest, AStreamEndsWhenItsCertificateExpires) {
  const Identity agent = farm_.Agent("agent-1");
  const Status ended = Attach(agent, "agent-1", "rpi4", [&] { farm_.clock.Advance(91 * kDaySeconds); });
  EXPECT_EQ(ended.code(), absl::StatusCode::kUnauthenticated) << ended;
}

TEST_F(SecuredFarmTest, ARenewedCertificateIsOfTheSameMemberAndTheOldOneGoesOn) {
  const Identity alice = farm_.Submitter("alice");
  const auto renewed = RenewIdentity(farm_.address(), alice);
  ASSERT_TRUE(renewed.ok()) << renewed.status();
  EXPECT_NE(renewed->key_pem, alice.key_pem);
  EXPECT_EQ(ReadCertificate(renewed->certificate_pem)->name, "alice");
  EXPECT_EQ(ReadCertificate(renewed->certificate_pem)->role, kRoleSubmitter);
  EXPECT_TRUE(OpenSession(*renewed, "s").ok());
  EXPECT_TRUE(OpenSession(alice, "s").ok());
  EXPECT_EQ(*Revoke(farm_.admin, "alice"), 2);
  EXPECT_EQ(RenewIdentity(farm_.address(), *renewed).status().code(), absl::StatusCode::kUnauthenticated);
}

TEST_F(SecuredFarmTest, ATokenIsGoodForOneOfMany) {
  const std::string token = farm_.Token({.role = kRoleAgent, .device_class = "rpi4"});
  std::atomic<int> joined = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&, i] { joined += JoinFarm(farm_.address(), token, StrCat("a-", i)).ok() ? 1 : 0; });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(joined, 1);
}

TEST_F(SecuredFarmTest, ATokenIsNotGivenToAnotherFarm) {
  SecuredFarm other;
  const std::string token = farm_.Token({.role = kRoleAdmin, .name = "eve"});
  const Status status = JoinFarm(other.address(), token, "").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_THAT(Text(status), HasSubstr("does not show a valid certificate of the farm"));
  EXPECT_THAT(other.AuditLog(), Not(HasSubstr("refused"))) << "the secret did not get there";
  EXPECT_TRUE(JoinFarm(farm_.address(), token, "").ok());
}

TEST_F(SecuredFarmTest, AMemberOfOneFarmDoesNotTrustTheTrackerOfAnother) {
  SecuredFarm other;
  proto::ListDevicesRequest request;
  proto::ListDevicesReply reply;
  grpc::ClientContext context;
  const grpc::Status status =
      proto::Operations::NewStub(DialTracker(other.address(), farm_.admin))->ListDevices(&context, request, &reply);
  EXPECT_EQ(status.error_code(), grpc::UNAVAILABLE);
  const Status explained = ExplainRefusedConnection(other.address(), farm_.admin, FromGrpc(status));
  EXPECT_THAT(Text(explained), HasSubstr("another tracker")) << status.error_message();
}

TEST_F(SecuredFarmTest, PlainTextAndTlsDoNotMeet) {
  EXPECT_EQ(ProbeProtocol(farm_.address()), Protocol::kTls);
  const Status plain_to_tls = ExplainRefusedConnection(farm_.address(), {}, OpenSession({}, "s"));
  EXPECT_EQ(plain_to_tls.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Text(plain_to_tls), HasSubstr("speaks TLS, this side plain text"));
  MemoryStore store;
  auto clear = TrackerServer::Start("127.0.0.1:0", {}, store);
  ASSERT_TRUE(clear.ok()) << clear.status();
  const std::string address = StrCat("127.0.0.1:", (*clear)->port());
  EXPECT_EQ(ProbeProtocol(address), Protocol::kClear);
  EXPECT_EQ(ProbeProtocol("127.0.0.1:1"), Protocol::kUnreachable);
  EXPECT_THAT(Text(RenewIdentity(address, farm_.admin).status()), HasSubstr("this side speaks TLS"));
}

TEST_F(SecuredFarmTest, WhatIsNoMessageIsNotExecuted) {
  const auto call = [&](const Identity& identity, const std::string& method, const std::string& bytes) {
    grpc::GenericStub stub(Dial(identity));
    grpc::ClientContext context;
    SetDeadline(context);
    grpc::CompletionQueue queue;
    grpc::Slice slice(bytes);
    grpc::ByteBuffer request(&slice, 1), reply;
    auto reader = stub.PrepareUnaryCall(&context, method, request, &queue);
    reader->StartCall();
    grpc::Status status;
    reader->Finish(&reply, &status, nullptr);
    void* tag;
    bool ok;
    queue.Next(&tag, &ok);
    return status;
  };
  for (const std::string& bytes : {std::string(1000, '\xff'), std::string("\x0a\xff\xff\xff\xff\x0f", 6)}) {
    for (const char* method : {"/tilth.proto.Operations/Revoke", "/tilth.proto.Farm/OpenSession",
                               "/tilth.proto.Farm/Submit", "/tilth.proto.Enrolment/Join"}) {
      EXPECT_FALSE(call(farm_.admin, method, bytes).ok()) << method;
    }
  }
  EXPECT_THAT(farm_.AuditLog(), AllOf(Not(HasSubstr("\"action\":\"revoke\"")), Not(HasSubstr("\"action\":\"s"))));
  EXPECT_EQ(call(farm_.admin, "/tilth.proto.Nothing/AtAll", "").error_code(), grpc::PERMISSION_DENIED);
  EXPECT_TRUE(Devices(farm_.admin).ok());
}

TEST_F(SecuredFarmTest, AnOversizedRequestToJoinIsRefused) {
  const auto token = ParseToken(farm_.Token({.role = kRoleAdmin, .name = "eve"}));
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = farm_.admin.authority_pem;
  proto::JoinRequest request;
  request.set_protocol_version(kProtocolVersion);
  request.set_token(FormatToken(*token));
  request.set_signing_request_pem(std::string(1 << 20, 'x'));
  proto::JoinReply reply;
  const auto stub = proto::Enrolment::NewStub(DialWith(farm_.address(), grpc::SslCredentials(options)));
  grpc::ClientContext context, without_token;
  context.AddMetadata(kTokenMetadata, FormatToken(*token));
  const grpc::Status status = stub->Join(&context, request, &reply);
  EXPECT_EQ(status.error_code(), grpc::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("at most"));
  EXPECT_THAT(stub->Join(&without_token, request, &reply).error_message(), HasSubstr("not a token"));
}

TEST_F(SecuredFarmTest, ListeningInTheClearOffLoopbackIsRefused) {
  MemoryStore store;
  const Status status = TrackerServer::Start("0.0.0.0:0", {}, store).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Text(status), AllOf(HasSubstr("tilth farm init"), HasSubstr("--insecure --yes-in-the-clear")));
}

TEST_F(SecuredFarmTest, TheAuditLogSaysWhoSubmittedWhat) {
  const Identity alice = farm_.Submitter("alice");
  ASSERT_TRUE(OpenSession(alice, "s").ok());
  proto::SubmitRequest request;
  request.set_session_id("s");
  proto::Trial* trial = request.add_trials();
  trial->set_trial_id("t");
  trial->set_artifact_hash(ContentHash("an artifact"));
  trial->set_baseline_hash(trial->artifact_hash());
  const auto stub = proto::Farm::NewStub(Dial(alice));
  proto::SubmitReply reply;
  grpc::ClientContext without_blob;
  EXPECT_FALSE(stub->Submit(&without_blob, request, &reply).ok());
  EXPECT_THAT(farm_.AuditLog(), Not(HasSubstr("\"action\":\"submit\""))) << "it was not";

  proto::Blob* blob = request.add_blobs();
  blob->set_hash(trial->artifact_hash());
  blob->set_data(*CompressBlob("an artifact"));
  grpc::ClientContext context;
  const grpc::Status submitted = stub->Submit(&context, request, &reply);
  EXPECT_TRUE(submitted.ok()) << submitted.error_message();
  EXPECT_THAT(farm_.AuditLog(), HasSubstr("\"action\":\"submit\",\"name\":\"alice\",\"role\":\"submitter\""));
  EXPECT_THAT(farm_.AuditLog(), HasSubstr(StrCat("\"artifacts\":[\"", trial->artifact_hash(), "\"]")));
}

TEST_F(SecuredFarmTest, AnAuthorityThatHasForgottenWhomItShutOutIsNotOpened) {
  const TempDir directory = *TempDir::Create();
  const std::string state = directory.File("state");
  ASSERT_TRUE(FarmSecurity::Initialize(state, {"localhost"}, "root", SystemClock()).ok());
  ASSERT_TRUE(FarmSecurity::Open(state, SystemClock()).ok());
  ASSERT_TRUE(RemoveFile(StrCat(state, "/authority/members.db")).ok());
  const Status opened = FarmSecurity::Open(state, SystemClock()).status();
  EXPECT_EQ(opened.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Text(opened), HasSubstr("members.db"));
}

}  // namespace
}  // namespace tilth
