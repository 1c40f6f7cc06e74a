// What the tracker does not take: too much, too long, nonsense; and what it forgets with its use.
#include "farm/limits.h"

#include "farm/tracker_fixture.h"

namespace tilth {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;

TEST_F(TrackerTest, AUserMayHaveSoManyUnfinishedTrials) {
  options_.max_unfinished_per_user = 3;
  Restart();
  OpenSession("t", "another");
  ASSERT_TRUE(Submit({"a", "b"}).ok());
  const Status refused = Submit({"c", "d"}).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("collect results"));
  EXPECT_EQ(*Submit({"a", "b", "c"}), 1) << "those that are there do not count again";
  EXPECT_TRUE(Submit({"d", "e"}, "t").ok()) << "another user's are his own";
  auto x = Attach("x");
  Finish("x", x->Grants()[0].lease());
  EXPECT_FALSE(Submit({"d"}).ok()) << "a result that has not been collected counts";
  Poll({"a"});
  EXPECT_TRUE(Submit({"d"}).ok());
}

TEST_F(TrackerTest, BlobsGoWithTheLastTrialThatNeedsThem) {
  ASSERT_TRUE(Submit({"a", "b"}).ok());
  EXPECT_THAT(store_.Load()->blob_hashes,
              UnorderedElementsAre(ContentHash("a"), ContentHash("b"), ContentHash("baseline")));
  auto x = Attach("x");
  Finish("x", x->Grants()[0].lease());
  Poll({"a"});
  EXPECT_THAT(store_.Load()->blob_hashes, UnorderedElementsAre(ContentHash("b"), ContentHash("baseline")));
  proto::CancelRequest cancel;
  cancel.set_session_id("s");
  ASSERT_TRUE(tracker()->Cancel(cancel).ok());
  EXPECT_THAT(store_.Load()->blob_hashes, ElementsAre(ContentHash("baseline"))) << "the next trial's, most likely";
  ASSERT_TRUE(tracker()->CloseSession("s").ok());
  EXPECT_THAT(store_.Load()->blob_hashes, IsEmpty());
}

TEST_F(TrackerTest, BlobsThatNobodyNeedsAreDeletedAtTheStart) {
  ASSERT_TRUE(store_.PutBlob(ContentHash("orphan"), "frame").ok());
  Restart();
  EXPECT_THAT(store_.Load()->blob_hashes, IsEmpty());
}

TEST_F(TrackerTest, SessionsWithNonsenseAreRefusedAndNameIt) {
  proto::OpenSessionRequest good;
  good.set_session_id("n");
  good.set_device_class("c");
  const auto refusal = [&](const std::function<void(proto::OpenSessionRequest*)>& change) {
    proto::OpenSessionRequest request = good;
    change(&request);
    const Status status = tracker()->OpenSession(request);
    EXPECT_EQ(status.code(), kInvalid);
    return std::string(status.message());
  };
  EXPECT_THAT(refusal([](auto* r) { r->clear_session_id(); }), HasSubstr("session id"));
  EXPECT_THAT(refusal([](auto* r) { r->set_session_id(std::string(200, 'x')); }), HasSubstr("200 bytes"));
  EXPECT_THAT(refusal([](auto* r) { r->set_session_id("a\nb"); }), HasSubstr("a\\nb"));
  EXPECT_THAT(refusal([](auto* r) { r->clear_device_class(); }), HasSubstr("device class"));
  EXPECT_THAT(refusal([](auto* r) { r->set_user(std::string(1000, 'u')); }), HasSubstr("user"));
  EXPECT_THAT(refusal([](auto* r) { r->add_device_tags(); }), HasSubstr("tag"));
  EXPECT_THAT(refusal([](auto* r) {
                for (int i = 0; i < 100; ++i) r->add_device_tags("t");
              }),
              HasSubstr("100 tags"));
  ASSERT_TRUE(tracker()->OpenSession(good).ok());
  EXPECT_THAT(refusal([](auto* r) { r->set_device_class("d"); }), HasSubstr("is for device class c"));
}

TEST_F(TrackerTest, TrialsWithNonsenseAreRefusedAllTogether) {
  const auto refused = [&](const std::function<void(proto::Trial*)>& change) {
    proto::SubmitRequest request = Trials({"good", "bad"}, "s", true);
    change(request.mutable_trials(1));
    return tracker()->Submit(request).status().code() == kInvalid;
  };
  EXPECT_TRUE(refused([](auto* t) { t->clear_trial_id(); }));
  EXPECT_TRUE(refused([](auto* t) { t->set_trial_id(std::string(10'000, 'x')); }));
  EXPECT_TRUE(refused([](auto* t) { t->set_artifact_hash("../../etc/passwd"); }));
  EXPECT_TRUE(refused([](auto* t) { t->clear_baseline_hash(); }));
  EXPECT_TRUE(refused([](auto* t) {
    for (int i = 0; i < 2000; ++i) t->add_value_bounds(1);
  }));
  EXPECT_THAT(store_.Load()->sessions[0].trials, IsEmpty());
}

TEST_F(TrackerTest, AbsurdNumbersAreClamped) {
  auto x = Attach("x", INT32_MAX);
  std::vector<std::string> ids;
  for (int i = 0; i < 100; ++i) ids.push_back(StrCat("t", i));
  proto::SubmitRequest request = Trials(ids, "s", true);
  for (proto::Trial& trial : *request.mutable_trials()) {
    trial.set_run_deadline_ms(INT64_MAX);
    trial.set_queue_deadline_ms(INT64_MIN);
    trial.set_transfer_deadline_ms(INT64_MAX);
  }
  ASSERT_TRUE(tracker()->Submit(request).ok());
  EXPECT_EQ(x->Grants().size(), 16u);
  Start("x", x->Grants()[0].lease());
  Pass(1'000);
  EXPECT_THAT(Poll(), IsEmpty());
  EXPECT_EQ(Attach("y", -7)->Grants().size(), 1u);
}

TEST_F(TrackerTest, UnknownAndRepeatedThingsOfAgentsChangeNothing) {
  ASSERT_TRUE(Submit({"a"}).ok());
  auto x = Attach("x");
  const proto::Lease lease = x->Grants()[0].lease();
  proto::Lease other = lease;
  other.set_token(lease.token() + 1);
  proto::Lease nowhere;
  nowhere.set_session_id(std::string(1'000'000, 's'));
  Start("x", other);
  Start("x", nowhere);
  GiveBack("x", nowhere, "");
  Beat("x", {nowhere, other, lease, lease});
  Finish("x", nowhere);
  EXPECT_THAT(Poll(), IsEmpty());
  Finish("x", lease, 1);
  Finish("x", lease, 2);
  ASSERT_THAT(Poll(), SizeIs(1));
  EXPECT_EQ(Poll()[0].median_ns(), 1);
  EXPECT_EQ(x->Acks(), 2);
  EXPECT_EQ(x->Revokes(), 1);
  Say("x", proto::AgentMessage());
  EXPECT_EQ(x->closed.code(), kInvalid);
  Finish("x", lease, 3);
}

TEST_F(TrackerTest, AResultThatIsTooLargeLosesItsSamplesAndKeepsItsVerdict) {
  ASSERT_TRUE(Submit({"a"}).ok());
  auto x = Attach("x");
  proto::AgentMessage message;
  *message.mutable_finished()->mutable_lease() = x->Grants()[0].lease();
  proto::MeasureResult* result = message.mutable_finished()->mutable_result();
  result->set_error(proto::MEASURE_ERROR_WRONG_ANSWER);
  result->set_detail(std::string(2'000'000, '\n'));
  for (int i = 0; i < 1'000'000; ++i) result->add_samples_ns(1);
  Say("x", message);
  ASSERT_THAT(Poll(), SizeIs(1));
  EXPECT_EQ(Poll()[0].error(), proto::MEASURE_ERROR_WRONG_ANSWER);
  EXPECT_LT(Poll()[0].ByteSizeLong(), kMaxResultBytes);
}

TEST_F(TrackerTest, AHelloWithNonsenseIsRefused) {
  proto::AgentHello hello;
  hello.mutable_device()->set_device_class("c");
  EXPECT_EQ(tracker()->Attach(hello, std::make_shared<FakePort>()).code(), kInvalid);
  hello.set_agent_id("x");
  hello.mutable_device()->set_cpu_model(std::string(2'000'000, 'c'));
  EXPECT_EQ(tracker()->Attach(hello, std::make_shared<FakePort>()).code(), kInvalid);
  EXPECT_EQ(tracker()->ListDevices("").devices_size(), 0);
}

}  // namespace
}  // namespace tilth
