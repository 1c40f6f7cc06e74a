// A log in a fresh directory and rows to fill it with.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>

#include "base/hash.h"
#include "db/tuning_log.h"

namespace tilth {

class LogFixture : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "tilth-log-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
  }
  void TearDown() override {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  std::string Path(const std::string& name = "log.db") const { return (directory_ / name).string(); }

  std::unique_ptr<TuningLog> OpenLog(const std::string& name = "log.db") {
    auto log = TuningLog::Open(Path(name));
    EXPECT_TRUE(log.ok()) << log.status();
    return log.ok() ? std::move(*log) : nullptr;
  }

  // A log with session "s1", two workloads, a target and a device.
  std::unique_ptr<TuningLog> OpenFilledLog(const std::string& name = "log.db", const std::string& session = "s1") {
    auto log = OpenLog(name);
    EXPECT_TRUE(log->PutWorkload(workload_).ok());
    EXPECT_TRUE(log->PutWorkload(other_workload_).ok());
    EXPECT_TRUE(log->PutTarget(target_).ok());
    EXPECT_TRUE(log->PutDevice({"fp-1", "local", R"({"cores":2})"}).ok());
    EXPECT_TRUE(
        log->BeginSession({.id = session, .model = "m.onnx", .model_hash = "model-1", .started_unix_ns = 1}).ok());
    return log;
  }

  TuningRecord Record(const std::string& trial, double median_ns, const std::string& decisions = "") const {
    return {.trial_id = trial,
            .session_id = "s1",
            .workload_hash = workload_.hash,
            .target_hash = target_.hash,
            .device_fingerprint = "fp-1",
            .decisions = decisions.empty() ? StrCat("{\"trial\":\"", trial, "\"}") : decisions,
            .space_version = 1,
            .feature_version = 2,
            .codegen_version = 3,
            .origin = "prior",
            .median_ns = median_ns,
            .spread = 0.01,
            .samples_ns = {median_ns, median_ns + 0.125},
            .time_unix_ns = ++clock_,
            .build_s = 0.005,
            .measure_s = 0.1,
            .artifact_hash = "a1"};
  }
  TuningRecord Failure(const std::string& trial, const std::string& status, const std::string& decisions = "") const {
    TuningRecord record = Record(trial, 1, decisions);
    record.status = status;
    record.median_ns = 0;
    record.samples_ns.clear();
    record.detail = "SIGSEGV";
    return record;
  }

  std::filesystem::path directory_;
  const LoggedWorkload workload_ = {ContentHash("workload one"), "workload one", "conv 3x3"};
  const LoggedWorkload other_workload_ = {ContentHash("workload two"), "workload two", "matmul"};
  const LoggedTarget target_ = {ContentHash("arch=x86-64"), "arch=x86-64"};
  mutable int64_t clock_ = 1'000;
};

}  // namespace tilth
