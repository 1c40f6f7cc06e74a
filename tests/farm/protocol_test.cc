// The wire over loopback: versions, refusals, absence, and agents that are started by hand and killed.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "base/files.h"
#include "base/subprocess.h"
#include "farm/client.h"
#include "farm/memory_store.h"
#include "farm/tracker_server.h"
#include "proto/dial.h"
#include "proto/farm.grpc.pb.h"
#include "rpc_agent/test_kernels.h"

namespace tilth {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// With a disk that may take its time.
class SlowStore : public MemoryStore {
 public:
  Status Commit() override {
    while (hold_commit) std::this_thread::yield();
    return MemoryStore::Commit();
  }
  std::atomic<bool> hold_commit = false;
};

class ProtocolTest : public ::testing::Test {
 protected:
  void Serve(TrackerOptions options) {
    options.quarantine = false;  // whatever else this machine does
    auto server = TrackerServer::Start("127.0.0.1:0", options, store_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = std::move(*server);
    auto dir = TempDir::Create();
    ASSERT_TRUE(dir.ok());
    dir_.emplace(std::move(*dir));
  }

  std::string Address() const { return StrCat("127.0.0.1:", server_->port()); }

  SubprocessOptions AgentProcess(const std::string& name) {
    return {.argv = {StrCat(TILTH_BINARY_DIR, "/bin/tilth-agent"), "--tracker", Address(), "--device-class", "c",
                     "--work-dir", dir_->File(name)},
            .stderr_to = ChildStream::kCapture};
  }

  SlowStore store_;
  std::unique_ptr<TrackerServer> server_;
  std::optional<TempDir> dir_;
};

TEST_F(ProtocolTest, ATrackerThatIsNotThereIsUnavailableWithItsAddress) {
  const Status status =
      FarmClient::Connect({.address = "127.0.0.1:1", .device_class = "c", .connect_timeout_ms = 200}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("127.0.0.1:1"));
  EXPECT_EQ(ListDevices("127.0.0.1:1", "", 200).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(ProtocolTest, ATrackerThatGoesAwayIsUnavailableAfterTheTimeout) {
  Serve({});
  auto client = FarmClient::Connect({.address = Address(), .device_class = "c", .reconnect_timeout_ms = 300});
  ASSERT_TRUE(client.ok()) << client.status();
  server_.reset();
  EXPECT_EQ((*client)->WaitResults(60'000).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(ProtocolTest, AClientOfAnotherVersionIsRefusedWithBothNamed) {
  Serve({});
  auto stub = proto::Farm::NewStub(DialTracker(Address()));
  proto::OpenSessionRequest request;
  request.set_protocol_version(77);
  request.set_session_id("s");
  proto::OpenSessionReply reply;
  grpc::ClientContext context;
  const grpc::Status status = stub->OpenSession(&context, request, &reply);
  EXPECT_EQ(status.error_code(), grpc::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), AllOf(HasSubstr("version 77"), HasSubstr(StrCat("version ", kProtocolVersion))));
}

TEST_F(ProtocolTest, AnAgentOfAnotherVersionIsRefusedWithBothNamed) {
  Serve({});
  auto stub = proto::Agents::NewStub(DialTracker(Address()));
  grpc::ClientContext context;
  auto stream = stub->Attach(&context);
  proto::AgentMessage message;
  message.mutable_hello()->set_protocol_version(77);
  message.mutable_hello()->set_agent_id("x");
  stream->Write(message);
  proto::TrackerMessage answer;
  EXPECT_FALSE(stream->Read(&answer));
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), grpc::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), AllOf(HasSubstr("version 77"), HasSubstr(StrCat("version ", kProtocolVersion))));
}

TEST_F(ProtocolTest, AnAgentThatDoesNotSayHelloIsRefused) {
  Serve({});
  auto stub = proto::Agents::NewStub(DialTracker(Address()));
  grpc::ClientContext context;
  auto stream = stub->Attach(&context);
  proto::AgentMessage message;
  message.mutable_heartbeat();
  stream->Write(message);
  proto::TrackerMessage answer;
  EXPECT_FALSE(stream->Read(&answer));
  EXPECT_EQ(stream->Finish().error_code(), grpc::INVALID_ARGUMENT);
}

TEST_F(ProtocolTest, AnAgentIsReadOnlyAsFarAsItsResultsAreAcknowledged) {
  Serve({});
  auto client = FarmClient::Connect({.address = Address(), .device_class = "c"});
  ASSERT_TRUE(client.ok()) << client.status();
  const std::string blob = (*client)->PutBlob("artifact").value();
  ASSERT_TRUE((*client)->Submit({MakeTrial("t", blob, blob), MakeTrial("u", blob, blob)}).ok());
  auto stub = proto::Agents::NewStub(DialTracker(Address()));
  grpc::ClientContext context;
  auto stream = stub->Attach(&context);
  proto::AgentMessage hello;
  hello.mutable_hello()->set_protocol_version(kProtocolVersion);
  hello.mutable_hello()->set_agent_id("x");
  hello.mutable_hello()->mutable_device()->set_device_class("c");
  hello.mutable_hello()->set_slots(2);
  ASSERT_TRUE(stream->Write(hello));
  proto::TrackerMessage message;
  while (!message.has_grant()) ASSERT_TRUE(stream->Read(&message));
  proto::AgentMessage finished, returned;
  *finished.mutable_finished()->mutable_lease() = message.grant().lease();
  ASSERT_TRUE(stream->Read(&message));
  *returned.mutable_returned()->mutable_lease() = message.grant().lease();

  store_.hold_commit = true;
  constexpr int kResults = 20, kMostUnhandled = 8;
  for (int i = 0; i < kResults; ++i) ASSERT_TRUE(stream->Write(finished));
  ASSERT_TRUE(stream->Write(returned));
  // Time enough to read them all, if that were done.
  std::thread disk([this] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    store_.hold_commit = false;
  });
  int acknowledged = 0;
  for (message.Clear(); !message.has_grant() && stream->Read(&message);) acknowledged += message.has_ack() ? 1 : 0;
  disk.join();
  EXPECT_TRUE(message.has_grant());
  EXPECT_GE(acknowledged, kResults - kMostUnhandled);
  context.TryCancel();
  stream->Finish();
}

TEST_F(ProtocolTest, ASecondAgentInTheSameDirectoryEndsAndSaysWhy) {
  Serve({});
  auto first = Subprocess::Start(AgentProcess("x"));
  ASSERT_TRUE(first.ok());
  auto client = FarmClient::Connect({.address = Address(), .device_class = "c"});
  ASSERT_TRUE((*client)->WaitDevice(60'000).ok());
  auto output = RunSubprocess(AgentProcess("x"), "", 60'000);
  ASSERT_TRUE(output.ok());
  EXPECT_EQ(output->exit.code, 1);
  EXPECT_THAT(output->stderr_text, HasSubstr("--work-dir"));
}

TEST_F(ProtocolTest, WaitingForADeviceOfAnUnknownClassNamesThoseThatAreThere) {
  Serve({});
  auto agent = Subprocess::Start(AgentProcess("x"));
  ASSERT_TRUE(agent.ok());
  auto present = FarmClient::Connect({.address = Address(), .device_class = "c"});
  ASSERT_TRUE((*present)->WaitDevice(60'000).ok());
  auto absent = FarmClient::Connect({.address = Address(), .device_class = "moon"});
  const Status status = (*absent)->WaitDevice(0).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("'moon'"), HasSubstr("attached classes: c")));
}

TEST_F(ProtocolTest, TheTrialOfAKilledAgentGoesToAnotherOne) {
  Serve({.lease_ms = 500});
  auto client = FarmClient::Connect({.address = Address(), .device_class = "c"});
  ASSERT_TRUE(client.ok()) << client.status();
  auto baseline = Compile({});
  auto slow = Compile({.run_body = "usleep(200000); for (int i = 0; i < N; ++i) y[i] = 2 * x[i] + w[i % 10];"});
  ASSERT_TRUE(baseline.ok() && slow.ok());
  const std::string hash = *(*client)->PutBlob(*baseline);
  auto first = Subprocess::Start(AgentProcess("first"));
  ASSERT_TRUE(first.ok());
  ASSERT_TRUE((*client)->WaitDevice(60'000).ok());
  ASSERT_TRUE((*client)->Submit({MakeTrial("t", *(*client)->PutBlob(*slow), hash)}).ok());
  ASSERT_TRUE((*client)->WaitResults(300)->empty());
  (*first)->Kill(SIGKILL);
  auto second = Subprocess::Start(AgentProcess("second"));
  ASSERT_TRUE(second.ok());
  auto results = (*client)->WaitResults(60'000);
  ASSERT_TRUE(results.ok()) << results.status();
  ASSERT_EQ(results->size(), 1u);
  EXPECT_TRUE(results->at(0).Measured()) << results->at(0).status << results->at(0).detail;
  EXPECT_EQ(results->at(0).attempts, 2);
}

TEST_F(ProtocolTest, AnAddressThatIsTakenIsUnavailable) {
  Serve({});
  MemoryStore other;
  const Status status = TrackerServer::Start(Address(), {}, other).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr(Address()));
}

}  // namespace
}  // namespace tilth
