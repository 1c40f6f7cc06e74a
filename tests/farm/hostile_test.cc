// Hostile candidates through a real agent: each is contained and reported as what it is, the agent lives, the next
// trial is measured as if nothing had been, and nothing is left behind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <sstream>
#include <thread>

#include "absl/strings/match.h"
#include "base/files.h"
#include "farm/client.h"
#include "farm/embedded.h"
#include "rpc_agent/hostile_kernels.h"

namespace tilth {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr int kDeadlineMs = 300;

// What a process holds, and what the trials it carried out may have left in the system.
struct Holdings {
  int processes = 0, descriptors = 0, files = 0, temporary_files = 0;
  int64_t memory_bytes = 0;
};

int CountEntries(const std::string& directory) {
  return static_cast<int>(ListDirectory(directory).value_or(std::vector<std::string>()).size());
}

// Names that other programs of this machine give theirs are theirs.
int CountNamed(const std::string& directory, const std::string& part) {
  int count = 0;
  for (const std::string& name : ListDirectory(directory).value_or(std::vector<std::string>())) {
    count += name.find(part) != std::string::npos ? 1 : 0;
  }
  return count;
}

// Processes whose working directory or root is below `directory`.
int CountProcessesIn(const std::string& directory) {
  int count = 0;
  for (const std::string& pid : ListDirectory("/proc").value_or(std::vector<std::string>())) {
    for (const char* place : {"cwd", "root"}) {
      std::error_code gone;
      const std::string link = fs::read_symlink(StrCat("/proc/", pid, "/", place), gone);
      if (gone || !link.starts_with(directory)) continue;
      ++count;
      break;
    }
  }
  return count;
}

class HostileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_.emplace(TempDir::Create("hostile").value());
    auto farm =
        EmbeddedFarm::Start({.state_directory = directory_->path(), .agent_arguments = {"--memory-limit", "128"}});
    ASSERT_TRUE(farm.ok()) << farm.status();
    farm_ = std::move(*farm);
    auto client = FarmClient::Connect(
        {.address = farm_->address(), .device_class = farm_->device_class(), .session_name = "hostile"});
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = std::move(*client);
    const std::string sandbox = client_->WaitDevice(30'000).value().sandbox;
    if (absl::StrContains(sandbox, "NO ")) GTEST_SKIP() << "this machine does not allow all that contains: " << sandbox;
    good_ = Compile({}).value();
    baseline_hash_ = client_->PutBlob(good_).value();
  }

  // `kind`: what is to become of it. Only where that is the deadline is it short: machines are slow at times.
  Trial Make(const std::string& id, const TestKernel& kernel, MeasureErrorKind kind) {
    auto artifact = Compile(kernel);
    EXPECT_TRUE(artifact.ok()) << artifact.status();
    Trial trial = MakeTrial(id, client_->PutBlob(artifact.value_or("")).value_or(""), baseline_hash_);
    trial.run_deadline_ms = kind == MeasureErrorKind::kRunTimeout ? kDeadlineMs : 20'000;
    return trial;
  }

  std::map<std::string, MeasureResult> Measure(const std::vector<Trial>& trials) {
    EXPECT_TRUE(client_->Submit(trials).ok());
    std::map<std::string, MeasureResult> results;
    while (results.size() < trials.size()) {
      auto more = client_->WaitResults(60'000);
      EXPECT_TRUE(more.ok()) << more.status();
      if (!more.ok() || more->empty()) break;
      for (MeasureResult& result : *more) results[result.trial_id] = result;
    }
    return results;
  }

  // The least of several, for the agent reads its device's health now and then, in a runner.
  Holdings Count() const {
    Holdings least = CountNow();
    for (int i = 0; i < 5; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      const Holdings now = CountNow();
      least.processes = std::min(least.processes, now.processes);
      least.descriptors = std::min(least.descriptors, now.descriptors);
    }
    return least;
  }

  Holdings CountNow() const {
    const std::string agent = StrCat("/proc/", farm_->agent_pid());
    Holdings holdings;
    holdings.processes = CountProcessesIn(directory_->path());
    holdings.descriptors = CountEntries(StrCat(agent, "/fd"));
    for (const auto& entry : fs::recursive_directory_iterator(directory_->File("agent"))) {
      // Written as results come and go, or when artifacts first come.
      const std::string path = entry.path();
      holdings.files += path.find("/results/") == std::string::npos && path.find("/artifacts/") == std::string::npos;
    }
    holdings.temporary_files = CountNamed("/tmp", "tilth-hostile") + CountNamed("/dev/shm", "tilth");
    std::istringstream words(ReadFile(StrCat(agent, "/statm")).value_or(""));
    int64_t size = 0, resident = 0;
    words >> size >> resident;
    holdings.memory_bytes = resident * sysconf(_SC_PAGESIZE);
    return holdings;
  }

  std::optional<TempDir> directory_;
  std::unique_ptr<EmbeddedFarm> farm_;
  std::unique_ptr<FarmClient> client_;
  std::string good_, baseline_hash_;
};

TEST_F(HostileTest, EachIsReportedByKindAndTheNextTrialIsMeasured) {
  std::vector<Trial> trials;
  const std::vector<HostileKernel> kernels = HostileKernels(kDeadlineMs);
  for (const HostileKernel& hostile : kernels) {
    trials.push_back(Make(hostile.name, hostile.kernel, hostile.kind));
    trials.push_back(MakeTrial(StrCat("after ", hostile.name), baseline_hash_, baseline_hash_));
  }
  const int agent = farm_->agent_pid();
  auto results = Measure(trials);
  for (const HostileKernel& hostile : kernels) {
    const MeasureResult& result = results[hostile.name];
    EXPECT_TRUE(result.status.ok()) << hostile.name << ": " << result.status;
    EXPECT_EQ(ToString(result.error), ToString(hostile.kind)) << hostile.name << ": " << result.detail;
    EXPECT_THAT(result.detail, HasSubstr(hostile.detail)) << hostile.name;
    const MeasureResult& next = results[StrCat("after ", hostile.name)];
    EXPECT_TRUE(next.Measured()) << "after " << hostile.name << ": " << next.status << next.detail;
  }
  EXPECT_EQ(farm_->agent_pid(), agent);
  EXPECT_EQ(farm_->restarts(), 0);
}

TEST_F(HostileTest, ForgedTimesAreHeldAgainstTheDevicesPeak) {
  Trial trial = Make("forged", ForgerOfTimes(), MeasureErrorKind::kImplausibleTime);
  trial.flops = 2000;
  const MeasureResult result = Measure({trial})["forged"];
  EXPECT_EQ(ToString(result.error), ToString(MeasureErrorKind::kImplausibleTime)) << result.detail;
  EXPECT_THAT(result.detail, HasSubstr("2000 GFLOP/s, twice, on a device whose measured peak is"));
}

TEST_F(HostileTest, OutputsOfMegabytesReachTheHalfThatCompares) {
  const TestKernel large = {.n = 1 << 20};
  const std::string baseline = Compile(large).value();
  const std::string hash = client_->PutBlob(baseline).value();
  EXPECT_TRUE(Measure({MakeTrial("large", hash, hash)})["large"].Measured());
  TestKernel wrong = large;
  wrong.run_body = "for (int i = 0; i < N; ++i) y[i] = 2 * x[i] + w[i % 10] + (i == N - 1);";
  const std::string other = client_->PutBlob(Compile(wrong).value()).value();
  const MeasureResult result = Measure({MakeTrial("wrong", other, hash)})["wrong"];
  EXPECT_EQ(ToString(result.error), ToString(MeasureErrorKind::kWrongAnswer));
  EXPECT_THAT(result.detail, HasSubstr("element 1048575"));
}

// TILTH_HOSTILE_TRIALS says how many (scripts/test-hostile); without it, as many as a test may take.
TEST_F(HostileTest, ManyInARowLeaveNothingBehind) {
  const char* asked = std::getenv("TILTH_HOSTILE_TRIALS");
  const size_t count = asked != nullptr ? static_cast<size_t>(std::atoll(asked)) : 120;
  // Those that only the deadline ends would take all the time.
  std::vector<HostileKernel> kernels;
  for (HostileKernel& hostile : HostileKernels(kDeadlineMs)) {
    if (hostile.kind != MeasureErrorKind::kRunTimeout || hostile.name == "endless loop") kernels.push_back(hostile);
  }
  const auto run = [&](size_t first, size_t n) {
    std::vector<Trial> trials;
    for (size_t i = first; i < first + n; ++i) {
      const HostileKernel& hostile = kernels[i % kernels.size()];
      trials.push_back(Make(StrCat("t", i), hostile.kernel, hostile.kind));
    }
    for (const auto& [id, result] : Measure(trials)) {
      EXPECT_NE(result.error, MeasureErrorKind::kNone) << id << ": " << result.status << result.detail;
    }
  };
  // What is allocated once is there after one of each.
  run(0, kernels.size());
  const Holdings before = Count();
  for (size_t done = 0; done < count;) {
    const size_t n = std::min<size_t>(50, count - done);
    run(kernels.size() + done, n);
    done += n;
  }
  const Holdings after = Count();
  EXPECT_EQ(farm_->restarts(), 0);
  EXPECT_EQ(after.processes, before.processes);
  EXPECT_EQ(after.descriptors, before.descriptors);
  EXPECT_EQ(after.files, before.files);
  EXPECT_EQ(after.temporary_files, before.temporary_files);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  // Heaps breathe; a few kilobytes a trial would show in a thousand. A sanitizer keeps what is freed.
  EXPECT_LT(after.memory_bytes - before.memory_bytes, int64_t{2} << 20);
#endif
  std::printf("%zu hostile trials: processes %d -> %d, descriptors %d -> %d, files %d -> %d, memory %lld -> %lld KiB\n",
              count, before.processes, after.processes, before.descriptors, after.descriptors, before.files,
              after.files, static_cast<long long>(before.memory_bytes >> 10),
              static_cast<long long>(after.memory_bytes >> 10));
}

}  // namespace
}  // namespace tilth
