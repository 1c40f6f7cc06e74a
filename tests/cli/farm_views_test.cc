// What operators see, at 80 columns.
#include "cli/farm_views.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_split.h"
#include "nlohmann/json.hpp"

namespace tilth {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

DeviceStatus MakeDevice(const std::string& host, const std::string& device_class, const std::string& state,
                        const std::string& reason = "") {
  DeviceStatus status;
  status.agent_id = StrCat("0123456789abcdef", host);
  status.device.host_name = host;
  status.device.device_class = device_class;
  status.device.cpu_model = "Cortex-A72";
  status.device.architecture = "aarch64";
  status.device.cores = 4;
  status.device.memory_bytes = int64_t{4} << 30;
  status.device.peak_gflops = 23.9;
  status.device.bandwidth_gbps = 4.1;
  status.state = state;
  status.reason = reason;
  status.health = {.canary_ratio = 1.0, .canary_lost = 0.008, .temperature_c = 51.2};
  status.attached_seconds = 1000;
  status.busy_seconds = 970;
  status.trials_done = 123'456;
  status.trials_failed = 789;
  status.agent_version = "0.5.0";
  return status;
}

std::vector<DeviceStatus> Lab() {
  std::vector<DeviceStatus> devices = {
      MakeDevice("raspberry-3", "rpi4", "busy", "measures 1 trial"),
      MakeDevice("raspberry-pi-in-the-second-rack-from-the-left", "rpi4-with-fan-and-a-very-long-name", "idle"),
      MakeDevice("raspberry-7", "rpi4", "quarantined",
                 "its clock is 34 % slower than when it was calibrated, and the system says that it is throttled; it "
                 "returns by itself after 10 s of good readings"),
      MakeDevice("build-box", "x86", "cordoned", "cordoned by anna; `tilth farm resume build-box` takes it back"),
      MakeDevice("raspberry-9", "rpi4", "offline", "not attached"),
  };
  devices[2].health = {.canary_ratio = 0.66, .temperature_c = 84.4, .throttled = true, .throttling_readable = true};
  devices[2].warning = "it is 31 % slower than the median of the 4 devices of its class: look at its clock";
  devices[3].health.temperature_c = 0;
  devices[3].reserved_for = "anna";
  devices[3].tags = {"avx512", "ram-64g"};
  return devices;
}

std::vector<JobStatus> Jobs() {
  JobStatus tune;
  tune.session_id = "0f3a9c77aa";
  tune.name = "tune light_resnet50.onnx for rpi4";
  tune.user = "anna";
  tune.device_class = "rpi4";
  tune.queued = 9'814;
  tune.running = 3;
  tune.delivered = 183;
  tune.eta_seconds = 4210;
  JobStatus lost = tune;
  lost.user = "a.rather.long.name@university.example";
  lost.device_class = "jetson";
  lost.running = 0;
  lost.eta_seconds = 0;
  lost.idle_seconds = 300;
  lost.priority = 2;
  JobStatus cordoned = tune;
  cordoned.device_class = "x86";
  return {tune, lost, cordoned};
}

// In characters.
size_t WidestLine(const std::string& text) {
  size_t widest = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    widest =
        std::max<size_t>(widest, std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xc0) != 0x80; }));
  }
  return widest;
}

TEST(FarmViewsTest, DevicesFitIntoEightyColumnsAndSayWhyTheyDoNotWork) {
  const std::string text = ShowDevices(Lab(), 80);
  EXPECT_LE(WidestLine(text), 80u) << text;
  EXPECT_THAT(text, HasSubstr("\n    its clock is 34 % slower than when it was calibrated"));
  EXPECT_THAT(text, HasSubstr("\n    warning: it is 31 % slower"));
  EXPECT_THAT(text, HasSubstr("\n    reserved for anna\n    tags: avx512, ram-64g\n"));
  EXPECT_THAT(text, Not(HasSubstr("not attached"))) << "its state says so";
}

TEST(FarmViewsTest, HostsWithSeveralAgentsAreToldApart) {
  std::vector<DeviceStatus> devices = {MakeDevice("lab", "x86", "idle"), MakeDevice("lab", "x86", "idle")};
  devices[1].agent_id = "fedcba9876543210";
  const std::string text = ShowDevices(devices, 80);
  EXPECT_THAT(text, HasSubstr("lab/01234567 "));
  EXPECT_THAT(text, HasSubstr("lab/fedcba98 "));
}

TEST(FarmViewsTest, DescriptionSaysWhatTheDeviceCannotTell) {
  const std::string text = DescribeDevices({Lab()[3]}, 80);
  EXPECT_LE(WidestLine(text), 80u) << text;
  EXPECT_THAT(text, HasSubstr("\n  temperature not readable on this device\n"));
  EXPECT_THAT(text, HasSubstr("\n  clock       not readable on this device\n"));
  EXPECT_THAT(text, HasSubstr("\n  throttled   not readable on this device\n"));
  EXPECT_THAT(DescribeDevices({Lab()[2]}, 80), HasSubstr("\n  throttled   yes\n"));
}

TEST(FarmViewsTest, JobsFitIntoEightyColumnsAndSayWhatTheyWaitFor) {
  const std::string text = ShowJobs(Jobs(), Lab(), 80);
  EXPECT_LE(WidestLine(text), 80u) << text;
  EXPECT_THAT(text, HasSubstr("1h10m"));
  EXPECT_THAT(text, HasSubstr("waits for a device of class jetson: none is attached"));
  EXPECT_THAT(text, HasSubstr("waits for a device of class x86: none of the 1 takes trials now"));
  EXPECT_THAT(text, HasSubstr("its client was last heard of 5m00s ago"));
  EXPECT_THAT(text, HasSubstr("priority 2"));
}

TEST(FarmViewsTest, JsonHasNullForWhatIsNotKnown) {
  const auto devices = nlohmann::json::parse(DevicesToJson(Lab()))["devices"];
  EXPECT_TRUE(devices[3]["health"]["temperature_c"].is_null());
  EXPECT_TRUE(devices[3]["health"]["throttled"].is_null());
  EXPECT_EQ(devices[2]["health"]["throttled"], true);
  EXPECT_THAT(devices[2]["reason"].get<std::string>(), StartsWith("its clock"));
  const auto jobs = nlohmann::json::parse(JobsToJson(Jobs()))["jobs"];
  EXPECT_EQ(jobs[0]["eta_s"], 4210);
  EXPECT_TRUE(jobs[1]["eta_s"].is_null());
}

TEST(FarmViewsTest, ChangesSayWhatHappensNext) {
  EXPECT_THAT(DescribeChange(DeviceChange::kDrain, "pi", 1, ""),
              HasSubstr("finishes what it has and then gets nothing. `tilth farm resume pi` takes it back"));
  EXPECT_THAT(DescribeChange(DeviceChange::kReserve, "pi", 1, "anna"), HasSubstr("only trials of anna"));
  EXPECT_THAT(DescribeChange(DeviceChange::kRelease, "lab", 3, ""), StartsWith("each of the 3 devices of lab"));
}

}  // namespace
}  // namespace tilth
