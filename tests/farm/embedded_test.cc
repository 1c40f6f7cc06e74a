// The whole farm over real processes: tracker, agent and runners of the build under test.
#include "farm/embedded.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <map>
#include <sstream>

#include "base/files.h"
#include "base/rng.h"
#include "farm/client.h"
#include "farm/operations.h"
#include "rpc_agent/test_kernels.h"

namespace tilth {
namespace {

using ::testing::HasSubstr;

class EmbeddedFarmTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto farm = EmbeddedFarm::Start({.agent_arguments = {"--memory-limit", "512"}});
    ASSERT_TRUE(farm.ok()) << farm.status();
    farm_ = std::move(*farm);
    auto client = FarmClient::Connect(
        {.address = farm_->address(), .device_class = farm_->device_class(), .session_name = "test"});
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = std::move(*client);
    auto baseline = Compile({});
    ASSERT_TRUE(baseline.ok()) << baseline.status();
    baseline_ = *baseline;
    auto hash = client_->PutBlob(baseline_);
    ASSERT_TRUE(hash.ok()) << hash.status();
    baseline_hash_ = *hash;
  }

  // A trial of these bytes.
  Trial TrialOf(const std::string& id, const std::string& artifact, const std::string& baseline_hash) {
    auto hash = client_->PutBlob(artifact);
    EXPECT_TRUE(hash.ok()) << hash.status();
    return MakeTrial(id, hash.value_or(""), baseline_hash);
  }

  // Submits and collects until all are there; fails the test if that takes a minute.
  std::map<std::string, MeasureResult> Measure(const std::vector<Trial>& trials) {
    const Status submitted = client_->Submit(trials);
    EXPECT_TRUE(submitted.ok()) << submitted;
    return Collect(trials.size());
  }

  std::map<std::string, MeasureResult> Collect(size_t count) {
    std::map<std::string, MeasureResult> results;
    while (results.size() < count) {
      auto more = client_->WaitResults(60'000);
      EXPECT_TRUE(more.ok()) << more.status();
      if (!more.ok() || more->empty()) break;
      for (MeasureResult& result : *more) {
        EXPECT_TRUE(results.emplace(result.trial_id, result).second) << "twice: " << result.trial_id;
      }
    }
    EXPECT_EQ(results.size(), count);
    return results;
  }

  MeasureResult MeasureKernel(const TestKernel& kernel, int64_t run_deadline_ms = 5'000) {
    auto artifact = Compile(kernel);
    EXPECT_TRUE(artifact.ok()) << artifact.status();
    Trial trial = TrialOf("t", *artifact, baseline_hash_);
    trial.run_deadline_ms = run_deadline_ms;
    return Measure({trial})["t"];
  }

  std::unique_ptr<EmbeddedFarm> farm_;
  std::unique_ptr<FarmClient> client_;
  std::string baseline_, baseline_hash_;
};

TEST_F(EmbeddedFarmTest, ADeviceThatCanStartNoRunnerGivesTrialsBackAndRests) {
  const std::string good = Compile({}).value();
  EXPECT_TRUE(Measure({TrialOf("before", good, baseline_hash_)})["before"].Measured());
  rlimit limit{};
  ASSERT_EQ(prlimit(farm_->agent_pid(), RLIMIT_NOFILE, nullptr, &limit), 0);
  const rlimit no_more{1, limit.rlim_max};
  ASSERT_EQ(prlimit(farm_->agent_pid(), RLIMIT_NOFILE, &no_more, nullptr), 0);
  ASSERT_TRUE(client_->Submit({TrialOf("t", good, baseline_hash_)}).ok());
  while (ListDevices(farm_->address(), "").value().at(0).state != "resting") {
    const auto early = client_->WaitResults(10);
    ASSERT_TRUE(early.ok()) << early.status();
    ASSERT_TRUE(early->empty()) << early->at(0).status << early->at(0).detail;
  }
  ASSERT_EQ(prlimit(farm_->agent_pid(), RLIMIT_NOFILE, &limit, nullptr), 0);
  auto results = Collect(1);
  EXPECT_TRUE(results["t"].Measured()) << results["t"].status;
}

TEST_F(EmbeddedFarmTest, GoodKernelIsVerifiedAndTimed) {
  const MeasureResult result = MeasureKernel({});
  ASSERT_TRUE(result.Measured()) << result.status << result.detail;
  EXPECT_GT(result.median_ns, 0);
  EXPECT_FALSE(result.samples_ns.empty());
  EXPECT_FALSE(result.device_fingerprint.empty());
  EXPECT_GT(result.health.canary_ratio, 0);
  auto device = client_->WaitDevice(1'000);
  ASSERT_TRUE(device.ok());
  EXPECT_EQ(device->fingerprint, result.device_fingerprint);
  EXPECT_GT(device->peak_gflops, 0);
  auto devices = client_->Devices();
  ASSERT_TRUE(devices.ok());
  EXPECT_GT(devices->at(0).busy_seconds, 0);
}

TEST_F(EmbeddedFarmTest, EachFailureOfACandidateHasItsKind) {
  const struct {
    const char* id;
    TestKernel kernel;
    MeasureErrorKind kind;
    const char* detail;
  } cases[] = {
      {"segfault", {.run_body = "*(volatile int*)8 = 1;"}, MeasureErrorKind::kRunCrash, "signal 11"},
      {"exit", {.run_body = "_exit(0);"}, MeasureErrorKind::kRunCrash, "before it had an answer"},
      {"prints", {.run_body = "fputs(\"help me\\n\", stderr); abort();"}, MeasureErrorKind::kRunCrash, "help me"},
      {"wrong",
       {.run_body = "for (int i = 0; i < N; ++i) y[i] = 2 * x[i] + w[i % 10] + (i == 17);"},
       MeasureErrorKind::kWrongAnswer,
       "output 0: element 17"},
      {"unwritten",
       {.run_body = "for (int i = 1; i < N; ++i) y[i] = 2 * x[i] + w[i % 10];"},
       MeasureErrorKind::kWrongAnswer,
       "output 0: element 0"},
      {"second run differs",
       {.preamble = "static int calls;",
        .run_body = "++calls; for (int i = 0; i < N; ++i) y[i] = 2 * x[i] + w[i % 10] + (calls > 1);"},
       MeasureErrorKind::kWrongAnswer,
       "when run again"},
      {"overrun",
       {.run_body = "for (int i = 0; i < N; ++i) y[i] = 2 * x[i] + w[i % 10]; y[N] = 1;"},
       MeasureErrorKind::kWrongAnswer,
       "past the end of buffer 2"},
      {"far overrun", {.run_body = "for (int i = 0; i < 2 * N; ++i) y[i] = 0;"}, MeasureErrorKind::kRunCrash, "signal"},
      {"underrun", {.run_body = "y[-8192 / 4 * 1] = 0;"}, MeasureErrorKind::kRunCrash, "signal"},
      {"writes its input", {.run_body = "((float*)x)[0] = 1;"}, MeasureErrorKind::kRunCrash, "signal"},
      {"abi", {.abi_version = 99}, MeasureErrorKind::kLoad, "kernel ABI version 99, this runner understands version 1"},
      {"crashes on load",
       {.preamble = "__attribute__((constructor)) static void die(void) { abort(); }"},
       MeasureErrorKind::kLoad,
       "signal 6"},
      {"other shape", {.n = 999}, MeasureErrorKind::kLoad, "are not the baseline's"},
      {"hog",
       {.run_body = "for (;;) { char* p = malloc(1 << 20); memset(p, 1, 1 << 20); }"},
       MeasureErrorKind::kOutOfMemory,
       ""},
  };
  std::vector<Trial> trials;
  for (const auto& c : cases) {
    auto artifact = Compile(c.kernel);
    ASSERT_TRUE(artifact.ok()) << artifact.status();
    trials.push_back(TrialOf(c.id, *artifact, baseline_hash_));
  }
  trials.push_back(TrialOf("garbage", "this is no ELF file", baseline_hash_));
  trials.push_back(TrialOf("empty", "", baseline_hash_));
  std::string foreign = baseline_;
  foreign[18] = 40;  // e_machine: 32-bit ARM
  trials.push_back(TrialOf("foreign", foreign, baseline_hash_));
  auto results = Measure(trials);
  for (const auto& c : cases) {
    EXPECT_EQ(ToString(results[c.id].error), ToString(c.kind)) << c.id << ": " << results[c.id].detail;
    EXPECT_THAT(results[c.id].detail, HasSubstr(c.detail)) << c.id;
    EXPECT_TRUE(results[c.id].status.ok()) << results[c.id].status;
  }
  EXPECT_EQ(results["garbage"].error, MeasureErrorKind::kLoad) << results["garbage"].detail;
  EXPECT_EQ(results["empty"].error, MeasureErrorKind::kLoad);
  EXPECT_EQ(results["foreign"].error, MeasureErrorKind::kLoad);
  EXPECT_THAT(results["foreign"].detail, HasSubstr("another machine"));
}

TEST_F(EmbeddedFarmTest, EndlessLoopTimesOutAndTheNextTrialRuns) {
  const MeasureResult result = MeasureKernel({.run_body = "for (volatile int i = 0;; ++i) {}"}, 300);
  EXPECT_EQ(result.error, MeasureErrorKind::kRunTimeout);
  EXPECT_THAT(result.detail, HasSubstr("300 ms"));
  Trial good = TrialOf("good", baseline_, baseline_hash_);
  EXPECT_TRUE(Measure({good})["good"].Measured());
}

TEST_F(EmbeddedFarmTest, FasterThanTheDeviceIsImplausible) {
  Trial trial = TrialOf("fast", baseline_, baseline_hash_);
  trial.flops = 1e12;
  const MeasureResult result = Measure({trial})["fast"];
  EXPECT_EQ(result.error, MeasureErrorKind::kImplausibleTime) << result.detail;
}

TEST_F(EmbeddedFarmTest, BaselineThatCrashesIsNotTheCandidatesFault) {
  auto broken = Compile({.run_body = "abort();"});
  ASSERT_TRUE(broken.ok());
  auto hash = client_->PutBlob(*broken);
  ASSERT_TRUE(hash.ok());
  const MeasureResult result = Measure({TrialOf("t", baseline_, *hash)})["t"];
  EXPECT_EQ(result.error, MeasureErrorKind::kNone);
  EXPECT_EQ(result.status.code(), absl::StatusCode::kFailedPrecondition) << result.status;
}

TEST_F(EmbeddedFarmTest, TrialOfAnUnknownBaselineIsRefused) {
  const Status submitted = client_->Submit({TrialOf("t", baseline_, std::string(32, 'a'))});
  EXPECT_EQ(submitted.code(), absl::StatusCode::kInvalidArgument) << submitted;
}

TEST_F(EmbeddedFarmTest, KilledAgentIsRestartedAndItsTrialMeasuredAgain) {
  ASSERT_TRUE(client_->WaitDevice(30'000).ok());
  auto slow = Compile({.run_body = "usleep(300000); for (int i = 0; i < N; ++i) y[i] = 2 * x[i] + w[i % 10];"});
  ASSERT_TRUE(slow.ok());
  Trial trial = TrialOf("slow", *slow, baseline_hash_);
  trial.run_deadline_ms = 60'000;
  ASSERT_TRUE(client_->Submit({trial}).ok());
  ASSERT_TRUE(client_->WaitResults(400)->empty());
  kill(farm_->agent_pid(), SIGKILL);
  auto results = Collect(1);
  EXPECT_TRUE(results["slow"].Measured()) << results["slow"].status << results["slow"].detail;
  EXPECT_EQ(results["slow"].attempts, 2);
  EXPECT_EQ(farm_->restarts(), 1);
}

TEST_F(EmbeddedFarmTest, KilledTrackerLosesAndDoublesNothing) {
  std::vector<Trial> trials;
  for (int i = 0; i < 150; ++i) trials.push_back(TrialOf(StrCat("t", i), baseline_, baseline_hash_));
  ASSERT_TRUE(client_->Submit(trials).ok());
  std::map<std::string, MeasureResult> results;
  for (int kills = 0; kills < 3 && results.size() < trials.size(); ++kills) {
    auto some = client_->WaitResults(60'000);
    ASSERT_TRUE(some.ok()) << some.status();
    for (MeasureResult& result : *some) EXPECT_TRUE(results.emplace(result.trial_id, result).second);
    kill(farm_->tracker_pid(), SIGKILL);
  }
  while (results.size() < trials.size()) {
    auto some = client_->WaitResults(60'000);
    ASSERT_TRUE(some.ok()) << some.status();
    ASSERT_FALSE(some->empty());
    for (MeasureResult& result : *some) EXPECT_TRUE(results.emplace(result.trial_id, result).second);
  }
  for (const auto& [id, result] : results) EXPECT_TRUE(result.Measured()) << id << result.status << result.detail;
}

// Children of the process `pid`, as the kernel lists them.
std::vector<int> ChildrenOf(int pid) {
  std::vector<int> children;
  for (const std::string& task : ListDirectory(StrCat("/proc/", pid, "/task")).value_or(std::vector<std::string>())) {
    std::istringstream list(ReadFile(StrCat("/proc/", pid, "/task/", task, "/children")).value_or(""));
    for (int child; list >> child;) children.push_back(child);
  }
  return children;
}

TEST_F(EmbeddedFarmTest, RandomKillsOfTrackerAgentAndRunnerLoseAndDoubleNothing) {
  std::vector<Trial> trials;
  for (int i = 0; i < 200; ++i) trials.push_back(TrialOf(StrCat("t", i), baseline_, baseline_hash_));
  ASSERT_TRUE(client_->Submit(trials).ok());
  Rng rng(2026);
  std::map<std::string, MeasureResult> results;
  for (int kills = 0; results.size() < trials.size();) {
    auto some = client_->WaitResults(200);
    ASSERT_TRUE(some.ok()) << some.status();
    for (MeasureResult& result : *some) EXPECT_TRUE(results.emplace(result.trial_id, result).second);
    if (kills == 12) continue;
    ++kills;
    const std::vector<int> runners = ChildrenOf(farm_->agent_pid());
    const uint64_t victim = rng.Below(3);
    if (victim == 0) kill(farm_->tracker_pid(), SIGKILL);
    if (victim == 1) kill(farm_->agent_pid(), SIGKILL);
    if (victim == 2 && !runners.empty()) kill(runners.front(), SIGKILL);
  }
  // A trial that three kills happened to hit is poison by the protocol, not lost: it has its result too.
  for (const auto& [id, result] : results)
    EXPECT_TRUE(result.Measured() || result.detail.starts_with("3 agents were lost while they ran it"))
        << id << result.status << result.detail;
}

}  // namespace
}  // namespace tilth
