// The tracker's logic over a fake clock, a store in memory and agents that are only ports.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/hash.h"
#include "farm/memory_store.h"
#include "farm/tracker.h"

namespace tilth {

class FakePort : public AgentPort {
 public:
  void Send(proto::TrackerMessage message) override { messages.push_back(std::move(message)); }
  void Close(const Status& why) override { closed = why; }

  std::vector<proto::Grant> Grants() const {
    std::vector<proto::Grant> grants;
    for (const auto& message : messages) {
      if (message.has_grant()) grants.push_back(message.grant());
    }
    return grants;
  }
  std::vector<std::string> GrantedIds() const {
    std::vector<std::string> ids;
    for (const proto::Grant& grant : Grants()) ids.push_back(grant.trial().trial_id());
    return ids;
  }
  int Acks() const {
    int acks = 0;
    for (const auto& message : messages) acks += message.has_ack() ? 1 : 0;
    return acks;
  }
  int Revokes() const {
    int revokes = 0;
    for (const auto& message : messages) revokes += message.has_revoke() ? 1 : 0;
    return revokes;
  }

  std::vector<proto::TrackerMessage> messages;
  Status closed;
};

class TrackerTest : public ::testing::Test {
 protected:
  TrackerTest() {
    Restart();
    OpenSession("s");
  }

  // The tracker for one call, whose effects are let out at the end of the statement, as after a commit.
  class Settled {
   public:
    explicit Settled(Tracker* tracker) : tracker_(tracker) {}
    ~Settled() {
      EXPECT_TRUE(tracker_->failure().ok()) << tracker_->failure();
      tracker_->TakeEffects().LetOut(absl::OkStatus());
    }
    Tracker* operator->() const { return tracker_; }

   private:
    Tracker* tracker_;
  };
  Settled tracker() { return Settled(tracker_.get()); }

  void Restart() {
    tracker_.reset();
    auto tracker = Tracker::Create(options_, store_, clock_);
    ASSERT_TRUE(tracker.ok()) << tracker.status();
    tracker_ = std::move(*tracker);
  }

  void OpenSession(const std::string& id, const std::string& user = "", const std::vector<std::string>& tags = {},
                   int priority = 0) {
    proto::OpenSessionRequest request;
    request.set_session_id(id);
    request.set_user(user);
    for (const std::string& tag : tags) request.add_device_tags(tag);
    request.set_priority(priority);
    request.set_device_class("c");
    ASSERT_TRUE(tracker()->OpenSession(request).ok());
  }

  // Of trials with one baseline, and an artifact each, of which `blobs` says whether they come along.
  static proto::SubmitRequest Trials(const std::vector<std::string>& ids, const std::string& session, bool blobs) {
    proto::SubmitRequest request;
    request.set_session_id(session);
    for (const std::string& id : ids) {
      proto::Trial* trial = request.add_trials();
      trial->set_trial_id(id);
      trial->set_artifact_hash(ContentHash(id));
      trial->set_baseline_hash(ContentHash("baseline"));
      for (const std::string& hash : {trial->artifact_hash(), trial->baseline_hash()}) {
        if (!blobs) break;
        request.add_blobs()->set_hash(hash);
        request.mutable_blobs()->rbegin()->set_data(StrCat("frame of ", hash));
      }
    }
    return request;
  }

  StatusOr<int> Submit(const std::vector<std::string>& ids, const std::string& session = "s", bool blobs = true) {
    return tracker()->Submit(Trials(ids, session, blobs));
  }

  // With one word, so that they go to one device.
  StatusOr<int> SubmitTogether(const std::string& word, const std::vector<std::string>& ids) {
    proto::SubmitRequest request = Trials(ids, "s", true);
    for (proto::Trial& trial : *request.mutable_trials()) trial.set_together(word);
    return tracker()->Submit(request);
  }

  std::shared_ptr<FakePort> Attach(const std::string& agent, int slots = 1,
                                   const std::vector<proto::Lease>& holding = {},
                                   const std::vector<std::string>& tags = {}) {
    proto::AgentHello hello;
    hello.set_agent_id(agent);
    hello.mutable_device()->set_device_class("c");
    hello.mutable_device()->set_host_name(agent + "-host");
    hello.set_slots(slots);
    for (const std::string& tag : tags) hello.add_tags(tag);
    for (const proto::Lease& lease : holding) *hello.add_holding() = lease;
    auto port = std::make_shared<FakePort>();
    const Status attached = tracker()->Attach(hello, port);
    EXPECT_TRUE(attached.ok()) << attached;
    ports_[agent] = port;
    return port;
  }

  void Say(const std::string& agent, const proto::AgentMessage& message) {
    tracker()->OnMessage(agent, ports_[agent].get(), message);
  }

  void Start(const std::string& agent, const proto::Lease& lease) {
    proto::AgentMessage message;
    *message.mutable_started()->mutable_lease() = lease;
    Say(agent, message);
  }

  void GiveBack(const std::string& agent, const proto::Lease& lease, const std::string& reason) {
    proto::AgentMessage message;
    *message.mutable_returned()->mutable_lease() = lease;
    message.mutable_returned()->set_reason(reason);
    Say(agent, message);
  }

  void Beat(const std::string& agent, const std::vector<proto::Lease>& holding) {
    proto::AgentMessage message;
    message.mutable_heartbeat();
    for (const proto::Lease& lease : holding) *message.mutable_heartbeat()->add_holding() = lease;
    Say(agent, message);
  }

  void Finish(const std::string& agent, const proto::Lease& lease, double median_ns = 1, double busy_seconds = 0.5) {
    proto::AgentMessage message;
    *message.mutable_finished()->mutable_lease() = lease;
    message.mutable_finished()->mutable_result()->set_median_ns(median_ns);
    message.mutable_finished()->set_busy_seconds(busy_seconds);
    Say(agent, message);
  }

  // The results that a client gets now, acknowledging `acknowledged` first.
  std::vector<proto::MeasureResult> Poll(const std::vector<std::string>& acknowledged = {},
                                         const std::string& session = "s") {
    proto::WaitResultsRequest request;
    request.set_session_id(session);
    for (const std::string& id : acknowledged) request.add_acknowledged_trial_ids(id);
    std::vector<proto::MeasureResult> results;
    tracker()->WaitResults(request, [&](StatusOr<proto::WaitResultsReply> reply) {
      ASSERT_TRUE(reply.ok()) << reply.status();
      results.assign(reply->results().begin(), reply->results().end());
    });
    return results;
  }

  StatusOr<int> SetDevice(const std::string& device, proto::SetDeviceRequest::Change change,
                          const std::string& user = "") {
    proto::SetDeviceRequest request;
    request.set_device(device);
    request.set_change(change);
    request.set_user(user);
    return tracker()->SetDevice(request);
  }

  void Pass(int64_t ms) {
    clock_.AdvanceMs(ms);
    tracker()->Tick();
  }
  void PassLease() { Pass(options_.lease_ms + 1); }

  TrackerOptions options_;
  FakeClock clock_;
  MemoryStore store_;
  std::unique_ptr<Tracker> tracker_;
  std::map<std::string, std::shared_ptr<FakePort>> ports_;  // by agent id, the newest
};

}  // namespace tilth
