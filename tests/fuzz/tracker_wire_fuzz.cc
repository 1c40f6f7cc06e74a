// What clients and agents may send to the tracker: a sequence of calls and messages, as bytes of the wire, in any
// order.
//
//     input     := step*
//     step      := operation:u8 choice:u8 length:u16le message:byte[length]
//
// With the upper bit of `choice` set, the message's ids are replaced by some that the tracker knows, so that it gets
// beyond the first check. The tracker must survive, never hand out an old fencing token, and be able to start from what
// it stored.
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/hash.h"
#include "base/logging.h"
#include "farm/memory_store.h"
#include "farm/tracker.h"
#include "google/protobuf/stubs/logging.h"
#include "proto/blob.h"

namespace tilth {
namespace {

class Port : public AgentPort {
 public:
  explicit Port(uint64_t* newest_token) : newest_token_(newest_token) {}

  void Send(proto::TrackerMessage message) override {
    if (!message.has_grant()) return;
    if (message.grant().lease().token() <= *newest_token_) __builtin_trap();
    *newest_token_ = message.grant().lease().token();
    granted_.push_back(message.grant().lease());
  }
  void Close(const Status&) override { closed_ = true; }

  bool closed() const { return closed_; }
  const proto::Lease* Granted(size_t choice) const {
    return granted_.empty() ? nullptr : &granted_[choice % granted_.size()];
  }

 private:
  uint64_t* newest_token_;
  std::vector<proto::Lease> granted_;
  bool closed_ = false;
};

class Farm {
 public:
  Farm() { Restart(); }
  ~Farm() { tracker_->Abandon(absl::CancelledError("the end")); }

  void Step(uint8_t operation, uint8_t choice, const std::string& bytes) {
    if (!store_.Begin().ok()) __builtin_trap();
    Apply(operation % 13, choice, bytes);
    if (!tracker_->failure().ok() || !store_.Commit().ok()) __builtin_trap();
    tracker_->TakeEffects().LetOut(absl::OkStatus());
    if (operation % 13 == 12) Restart();
  }

 private:
  static constexpr int kAgents = 2;

  void Restart() {
    if (tracker_ != nullptr) tracker_->Abandon(absl::UnavailableError("restart"));
    tracker_.reset();
    auto tracker = Tracker::Create({}, store_, clock_);
    if (!tracker.ok()) __builtin_trap();
    tracker_ = *std::move(tracker);
    for (auto& port : ports_) port = nullptr;
  }

  // gRPC does not hand on what is no message; an empty one takes its place here.
  template <typename Message>
  static Message Parse(const std::string& bytes) {
    Message message;
    return message.ParseFromString(bytes) ? message : Message();
  }

  static std::string SessionId(uint8_t choice) { return choice & 1 ? "s1" : "s0"; }
  static std::string AgentId(uint8_t choice) { return choice & 2 ? "a1" : "a0"; }

  void PutKnownLease(uint8_t choice, proto::Lease* lease) const {
    const auto& port = ports_[choice >> 1 & 1];
    if (port == nullptr) return;
    if (const proto::Lease* granted = port->Granted(choice >> 2)) *lease = *granted;
  }

  void Submit(bool known, uint8_t choice, const std::string& bytes) {
    auto request = Parse<proto::SubmitRequest>(bytes);
    if (known) {
      request.set_session_id(SessionId(choice));
      static const std::string kContent = "an artifact", kFrame = CompressBlob(kContent).value();
      proto::Blob blob;
      blob.set_hash(ContentHash(kContent));
      blob.set_data(kFrame);
      if (request.trials().empty()) request.add_trials()->set_trial_id(std::to_string(choice));
      for (proto::Trial& trial : *request.mutable_trials()) {
        trial.set_artifact_hash(blob.hash());
        trial.set_baseline_hash(blob.hash());
      }
      *request.add_blobs() = blob;
    }
    for (const proto::Blob& blob : request.blobs()) {
      if (!UnpackBlob(blob).ok()) return;
    }
    tracker_->Submit(request).IgnoreError();
  }

  void Attach(bool known, uint8_t choice, const std::string& bytes) {
    auto hello = Parse<proto::AgentHello>(bytes);
    if (known) {
      hello.set_agent_id(AgentId(choice));
      hello.mutable_device()->set_device_class("c");
      for (proto::Lease& lease : *hello.mutable_holding()) PutKnownLease(choice, &lease);
    }
    auto port = std::make_shared<Port>(&newest_token_);
    if (tracker_->Attach(hello, port).ok() && known) ports_[choice >> 1 & 1] = port;
  }

  void FromAgent(bool known, uint8_t choice, const std::string& bytes) {
    auto message = Parse<proto::AgentMessage>(bytes);
    if (known) {
      if (message.has_started()) PutKnownLease(choice, message.mutable_started()->mutable_lease());
      if (message.has_finished()) PutKnownLease(choice, message.mutable_finished()->mutable_lease());
      if (message.has_returned()) PutKnownLease(choice, message.mutable_returned()->mutable_lease());
      if (message.has_heartbeat()) PutKnownLease(choice, message.mutable_heartbeat()->add_holding());
    }
    if (const auto& port = ports_[choice >> 1 & 1]) tracker_->OnMessage(AgentId(choice), port.get(), message);
  }

  void Apply(int operation, uint8_t choice, const std::string& bytes) {
    const bool known = choice & 0x80;
    switch (operation) {
      case 0: {
        auto request = Parse<proto::OpenSessionRequest>(bytes);
        if (known) {
          request.set_session_id(SessionId(choice));
          request.set_device_class("c");
        }
        tracker_->OpenSession(request).IgnoreError();
        break;
      }
      case 1:
        Submit(known, choice, bytes);
        break;
      case 2: {
        auto request = Parse<proto::WaitResultsRequest>(bytes);
        if (known) request.set_session_id(SessionId(choice));
        tracker_->WaitResults(request, [](StatusOr<proto::WaitResultsReply>) {});
        break;
      }
      case 3: {
        auto request = Parse<proto::CancelRequest>(bytes);
        if (known) request.set_session_id(SessionId(choice));
        tracker_->Cancel(request).IgnoreError();
        break;
      }
      case 4:
        tracker_->CloseSession(known ? SessionId(choice) : bytes).IgnoreError();
        break;
      case 5: {
        auto request = Parse<proto::SetDeviceRequest>(bytes);
        if (known) request.set_device(AgentId(choice));
        tracker_->SetDevice(request).IgnoreError();
        break;
      }
      case 6:
        Attach(known, choice, bytes);
        break;
      case 7:
        FromAgent(known, choice, bytes);
        break;
      case 8:
        if (const auto& port = ports_[choice >> 1 & 1]) tracker_->Detach(AgentId(choice), port.get());
        break;
      case 9:
        clock_.AdvanceMs(int64_t{100} * choice);
        tracker_->Tick();
        break;
      case 10:
        tracker_->GetBlob(bytes).status().IgnoreError();
        break;
      case 11:
        tracker_->ListDevices(bytes);
        tracker_->ListJobs();
        break;
      default:
        break;
    }
  }

  MemoryStore store_;
  FakeClock clock_;
  uint64_t newest_token_ = 0;
  std::unique_ptr<Tracker> tracker_;
  std::shared_ptr<Port> ports_[kAgents];
};

}  // namespace
}  // namespace tilth

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const bool quiet = [] {
    tilth::SetLogLevel(tilth::LogLevel::kOff);
    google::protobuf::SetLogHandler(nullptr);
    return true;
  }();
  (void)quiet;
  tilth::Farm farm;
  for (size_t at = 0; at + 4 <= size;) {
    const size_t length = std::min<size_t>(data[at + 2] | data[at + 3] << 8, size - at - 4);
    farm.Step(data[at], data[at + 1], std::string(reinterpret_cast<const char*>(data) + at + 4, length));
    at += 4 + length;
  }
  return 0;
}
