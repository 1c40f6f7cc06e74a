// A real agent, and a process that spins on its core: the device is quarantined, returns by itself, and nothing that
// was measured meanwhile reaches the client. Prints what happened when. A machine that is too busy for a good reading
// of its own accord cannot show that, and skips.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/subprocess.h"
#include "farm/client.h"
#include "farm/memory_store.h"
#include "farm/tracker_server.h"
#include "rpc_agent/test_kernels.h"

namespace tilth {
namespace {

constexpr int64_t kPatienceMs = 60'000;
constexpr double kBadLoss = 0.10;

class QuarantineTest : public ::testing::Test {
 protected:
  void SetUp() override {
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    ASSERT_EQ(sched_getaffinity(0, sizeof allowed, &allowed), 0);
    for (int core = 0; core < CPU_SETSIZE; ++core) {
      if (CPU_ISSET(core, &allowed)) core_ = core;
    }
    auto server = TrackerServer::Start("127.0.0.1:0", {}, store_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = std::move(*server);
    auto dir = TempDir::Create();
    ASSERT_TRUE(dir.ok());
    dir_.emplace(std::move(*dir));
    auto agent =
        Subprocess::Start({.argv = {StrCat(TILTH_BINARY_DIR, "/bin/tilth-agent"), "--tracker", Address(),
                                    "--device-class", "c", "--core", StrCat(core_), "--work-dir", dir_->path()}});
    ASSERT_TRUE(agent.ok()) << agent.status();
    agent_ = std::move(*agent);
    auto client = FarmClient::Connect({.address = Address(), .device_class = "c", .session_name = "quarantine"});
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = std::move(*client);
  }

  std::string Address() const { return StrCat("127.0.0.1:", server_->port()); }

  // A process that does nothing but spin on the measuring core.
  std::unique_ptr<Subprocess> Load() {
    cpu_set_t before, only;
    CPU_ZERO(&only);
    CPU_SET(core_, &only);
    // A child begins on its parent's cores.
    EXPECT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
    EXPECT_EQ(sched_setaffinity(0, sizeof only, &only), 0);
    auto load = Subprocess::Start({.argv = {"/bin/sh", "-c", "while :; do :; done"}});
    EXPECT_EQ(sched_setaffinity(0, sizeof before, &before), 0);
    EXPECT_TRUE(load.ok()) << load.status();
    return load.ok() ? std::move(*load) : nullptr;
  }

  void Submit(int count) {
    auto kernel = Compile({});
    ASSERT_TRUE(kernel.ok()) << kernel.status();
    auto hash = client_->PutBlob(*kernel);
    ASSERT_TRUE(hash.ok()) << hash.status();
    std::vector<Trial> trials;
    for (int i = 0; i < count; ++i) {
      trials.push_back(MakeTrial(StrCat("t", i), *hash, *hash));
      // About as long as a trial of a tuning session.
      trials.back().options.min_repeats = trials.back().options.max_repeats = 1000;
      trials.back().options.target_relative_ci = 0;
      trials.back().options.time_budget_ns = 60'000'000;
    }
    ASSERT_TRUE(client_->Submit(trials).ok());
  }

  // Collects results until the device is in one of `states`; the milliseconds that took, or -1 if patience ran out.
  int64_t CollectUntil(const std::vector<std::string>& states, size_t at_least = 0) {
    const int64_t begin_ns = SystemClock().NowNs();
    for (;;) {
      auto results = client_->WaitResults(100);
      EXPECT_TRUE(results.ok()) << results.status();
      if (!results.ok()) return -1;
      for (const MeasureResult& result : *results) {
        ++results_;
        EXPECT_TRUE(result.Measured()) << result.status << result.detail;
        EXPECT_LE(result.health.canary_lost, kBadLoss) << result.trial_id;
        EXPECT_GE(result.health.canary_ratio, 1 - kBadLoss) << result.trial_id;
      }
      auto devices = client_->Devices();
      const int64_t elapsed_ms = (SystemClock().NowNs() - begin_ns) / 1'000'000;
      if (devices.ok() && !devices->empty()) {
        Note(devices->front());
        const bool there = std::find(states.begin(), states.end(), devices->front().state) != states.end();
        if (there && devices->front().health.canary_ratio > 0 && results_ >= at_least) return elapsed_ms;
      }
      if (elapsed_ms > kPatienceMs) return -1;
    }
  }

  // One line for each change.
  void Note(const DeviceStatus& status) {
    const std::string line =
        StrCat(status.state, ", ", results_, " results, ", static_cast<int>(100 * status.health.canary_lost), " % lost",
               status.state == "quarantined" ? ": " : "", status.state == "quarantined" ? status.reason : "");
    const std::string key = StrCat(status.state, status.health.measured_unix_ms);
    if (key == noted_) return;
    noted_ = key;
    std::printf("%7.1f s  %s\n", static_cast<double>(SystemClock().NowNs() - begin_ns_) * 1e-9, line.c_str());
  }

  MemoryStore store_;
  std::unique_ptr<TrackerServer> server_;
  std::optional<TempDir> dir_;
  std::unique_ptr<Subprocess> agent_;
  std::unique_ptr<FarmClient> client_;
  int core_ = 0;
  size_t results_ = 0;
  std::string noted_;
  const int64_t begin_ns_ = SystemClock().NowNs();
};

TEST_F(QuarantineTest, DeviceWithALoadedCoreGoesAndComesBackAndItsTimesAreNotKept) {
  Submit(2000);
  if (CollectUntil({"idle", "busy"}, 10) < 0) GTEST_SKIP() << "this machine's last core is never quiet";
  std::unique_ptr<Subprocess> load = Load();
  ASSERT_NE(load, nullptr);
  std::printf("a process spins on core %d now\n", core_);
  const int64_t until_quarantine_ms = CollectUntil({"quarantined"});
  ASSERT_GE(until_quarantine_ms, 0) << "not quarantined within a minute";
  const size_t before = results_;
  EXPECT_GE(CollectUntil({"quarantined"}), 0);
  EXPECT_EQ(results_, before) << "a quarantined device measured";
  load->Kill(SIGKILL);
  std::printf("the process has been killed\n");
  const int64_t until_return_ms = CollectUntil({"idle", "busy"}, before + 1);
  if (until_return_ms < 0) GTEST_SKIP() << "this machine's last core did not come to rest";
  std::printf("quarantined after %.1f s, back after %.1f s\n", static_cast<double>(until_quarantine_ms) * 1e-3,
              static_cast<double>(until_return_ms) * 1e-3);
}

}  // namespace
}  // namespace tilth
