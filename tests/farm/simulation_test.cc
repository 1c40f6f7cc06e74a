// Simulated agents: what their seeds decide, and that a real tracker takes them for agents.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "base/statistics.h"
#include "farm/client.h"
#include "farm/memory_store.h"
#include "farm/simulation/simulated_fleet.h"
#include "farm/tracker_server.h"
#include "proto/measure.pb.h"

namespace tilth {
namespace {

TEST(SimulatedDeviceTest, SeedDecidesEverything) {
  const SimulatedDeviceOptions options{.trial = {.median_ms = 10, .sigma = 0.5}, .health = {.noise = 0.1}, .seed = 7};
  SimulatedDevice one(options), two(options);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(one.TrialMs(), two.TrialMs());
    EXPECT_EQ(one.Health(1).canary_ratio(), two.Health(1).canary_ratio());
    EXPECT_EQ(one.SecondsToNext(3), two.SecondsToNext(3));
  }
}

TEST(SimulatedDeviceTest, LatenciesHaveTheirMedianAndSpread) {
  SimulatedDevice device({.seed = 1});
  EXPECT_EQ(device.Draw({.median_ms = 5}), 5);
  std::vector<double> draws;
  for (int i = 0; i < 10'000; ++i) draws.push_back(device.Draw({.median_ms = 20, .sigma = 0.5}));
  EXPECT_NEAR(Quantile(draws, 0.5), 20, 1);
  EXPECT_NEAR(Quantile(draws, 0.841), 20 * std::exp(0.5), 2);
}

TEST(SimulatedDeviceTest, FailuresComeInTheirShares) {
  SimulatedDevice device(
      {.failures = {{MeasureErrorKind::kRunCrash, 0.1}, {MeasureErrorKind::kRunTimeout, 0.2}}, .seed = 1});
  std::map<int, int> kinds;
  for (int i = 0; i < 10'000; ++i) ++kinds[device.Measure("t", 1, 0).error()];
  EXPECT_NEAR(kinds[proto::MEASURE_ERROR_RUN_CRASH], 1000, 100);
  EXPECT_NEAR(kinds[proto::MEASURE_ERROR_RUN_TIMEOUT], 2000, 150);
  EXPECT_NEAR(kinds[proto::MEASURE_ERROR_NONE], 7000, 200);
}

TEST(SimulatedDeviceTest, DriftSlowsTheCanaryAndTheTimes) {
  SimulatedDevice device({.health = {.ratio = 1, .drift_per_s = -0.01}});
  EXPECT_DOUBLE_EQ(device.Health(0).canary_ratio(), 1);
  EXPECT_NEAR(device.Health(20).canary_ratio(), 0.8, 1e-9);
  EXPECT_NEAR(device.Measure("t", 1, 20).median_ns(), device.Measure("t", 1, 0).median_ns() / 0.8, 1);
}

class SimulatedFleetTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto server =
        TrackerServer::Start("127.0.0.1:0", {.lease_ms = 2'000, .max_lost_runs = 1000, .max_attempts = 1000}, store_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = std::move(*server);
    address_ = StrCat("127.0.0.1:", server_->port());
    auto client = FarmClient::Connect({.address = address_, .device_class = "simulated", .session_name = "test"});
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = std::move(*client);
  }

  void Submit(int count) {
    auto baseline = client_->PutBlob("baseline");
    ASSERT_TRUE(baseline.ok()) << baseline.status();
    std::vector<Trial> trials(static_cast<size_t>(count));
    for (int i = 0; i < count; ++i) {
      trials[static_cast<size_t>(i)].trial_id = StrCat("t", i);
      trials[static_cast<size_t>(i)].artifact_hash = *baseline;
      trials[static_cast<size_t>(i)].baseline_hash = *baseline;
    }
    ASSERT_TRUE(client_->Submit(trials).ok());
  }

  // Every trial of Submit(count) has one result.
  void ExpectAll(int count) {
    std::set<std::string> ids;
    while (static_cast<int>(ids.size()) < count) {
      auto results = client_->WaitResults(60'000);
      ASSERT_TRUE(results.ok()) << results.status();
      ASSERT_FALSE(results->empty());
      for (const MeasureResult& result : *results) EXPECT_TRUE(ids.insert(result.trial_id).second) << result.trial_id;
    }
  }

  static std::vector<SimulatedAgentOptions> Agents(int count, SimulatedAgentOptions options) {
    std::vector<SimulatedAgentOptions> agents(static_cast<size_t>(count), options);
    for (int i = 0; i < count; ++i) {
      agents[static_cast<size_t>(i)].agent_id = StrCat("agent-", i);
      agents[static_cast<size_t>(i)].device.seed = static_cast<uint64_t>(i + 1);
    }
    return agents;
  }

  MemoryStore store_;
  std::unique_ptr<TrackerServer> server_;
  std::string address_;
  std::unique_ptr<FarmClient> client_;
};

TEST_F(SimulatedFleetTest, AgentsWorkOffWhatIsSubmitted) {
  SimulatedFleet fleet(address_, Agents(20, {.device = {.trial = {.median_ms = 2, .sigma = 0.5}}}), nullptr);
  ASSERT_TRUE(fleet.WaitAttached(60'000).ok());
  Submit(400);
  ExpectAll(400);
  EXPECT_EQ(fleet.counts().grants, 400);
  EXPECT_EQ(fleet.counts().finished, 400);
  EXPECT_EQ(fleet.counts().connections, 20);
}

TEST_F(SimulatedFleetTest, DisconnectsAndRestartsLoseAndDoubleNothing) {
  Submit(400);
  SimulatedFleet fleet(address_,
                       Agents(10, {.device = {.trial = {.median_ms = 20, .sigma = 0.5}},
                                   .disconnects_per_s = 2,
                                   .restarts_per_s = 2,
                                   .away = {.median_ms = 20}}),
                       nullptr);
  ExpectAll(400);
  EXPECT_GT(fleet.counts().connections, 10);
}

TEST_F(SimulatedFleetTest, AnAgentWhoseHeartIsTooSlowLosesItsLeases) {
  Submit(1);
  auto slow = Agents(1, {.device = {.trial = {.median_ms = 600'000}}, .heartbeat_slowness = 1e6});
  SimulatedFleet sleeper(address_, slow, nullptr);
  while (sleeper.counts().grants == 0) ASSERT_TRUE(client_->WaitResults(20)->empty());
  auto healthy = Agents(1, {});
  healthy[0].agent_id = "healthy";
  SimulatedFleet fleet(address_, healthy, nullptr);
  ExpectAll(1);
  EXPECT_EQ(fleet.counts().finished, 1);
}

}  // namespace
}  // namespace tilth
