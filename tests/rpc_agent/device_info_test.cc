// Boards differ in what they tell: the agent's description of a device from files of several.
#include "rpc_agent/device_info.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"
#include "rpc_agent/calibration.h"
#include "rpc_agent/cpu_parts.h"

namespace tilth {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string ArmCore(int number, const std::string& part) {
  return StrCat("processor\t: ", number, "\nBogoMIPS\t: 108.00\nFeatures\t: fp asimd crc32\nCPU implementer\t: 0x41\n",
                "CPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: ", part, "\nCPU revision\t: 3\n\n");
}

TEST(CpuPartsTest, CoresOfTwoKindsAreTwoParts) {
  const std::vector<CpuPart> parts = ParseCpuParts(
      StrCat(ArmCore(0, "0xd05"), ArmCore(1, "0xd05"), ArmCore(2, "0xd0b"), "Hardware\t: board\nSerial\t: 1\n"));
  ASSERT_THAT(parts, SizeIs(2));
  EXPECT_THAT(parts[0].cores, ElementsAre(0, 1));
  EXPECT_EQ(parts[1].identity, "0x41/0xd0b/0x0");
  EXPECT_EQ(DescribeParts(parts), "2 x Cortex-A55 + 1 x Cortex-A76");
}

TEST(CpuPartsTest, UnknownPartIsNamedByItsNumbers) {
  EXPECT_EQ(DescribeParts(ParseCpuParts(ArmCore(0, "0xfff"))), "1 x ARM part 0x41/0xfff");
}

TEST(CpuPartsTest, ProcessorThatNamesItselfNeedsNoCount) {
  const std::string text =
      "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD EPYC\nstepping\t: "
      "1\n";
  EXPECT_EQ(DescribeParts(ParseCpuParts(text)), "AMD EPYC");
}

TEST(CpuPartsTest, TextWithoutProcessorsHasNone) {
  EXPECT_THAT(ParseCpuParts("Hardware: ?\n\n"), IsEmpty());
  EXPECT_THAT(ParseCpuParts(""), IsEmpty());
}

class DeviceInfoTest : public ::testing::Test {
 protected:
  void Write(const std::string& path, const std::string& text) {
    const std::string file = root_.File(path);
    ASSERT_TRUE(MakeDirectories(file.substr(0, file.rfind('/'))).ok());
    ASSERT_TRUE(WriteFile(file, text).ok());
  }
  TempDir root_ = TempDir::Create("device").value();
};

TEST_F(DeviceInfoTest, MachineThatTellsNothingIsStillADevice) {
  const Device device = DescribeDevice(root_.path());
  EXPECT_FALSE(device.fingerprint.empty());
  EXPECT_FALSE(device.kernel_release.empty());
  EXPECT_GE(device.cores, 1);
  EXPECT_EQ(device.cpu_model, "");
  EXPECT_EQ(device.accelerator, "");
  EXPECT_THAT(device.thermal_zones, IsEmpty());
}

TEST_F(DeviceInfoTest, BoardIsNamedWithItsCoresAndZones) {
  Write("proc/cpuinfo", StrCat(ArmCore(0, "0xd08"), ArmCore(1, "0xd08")));
  Write("proc/device-tree/model", std::string("Raspberry Pi 4 Model B Rev 1.4\0", 31));
  Write("sys/class/thermal/thermal_zone0/type", "cpu-thermal\n");
  Write("sys/class/thermal/thermal_zone0/temp", "48312\n");
  Write("sys/class/drm/card1/device/uevent", "DRIVER=vc4-drm\nOF_NAME=gpu\n");
  const Device device = DescribeDevice(root_.path());
  EXPECT_EQ(device.cpu_model, "Raspberry Pi 4 Model B Rev 1.4 (2 x Cortex-A72)");
  EXPECT_THAT(device.cpu_features, ElementsAre("asimd", "crc32", "fp"));
  EXPECT_THAT(device.thermal_zones, ElementsAre("cpu-thermal"));
  EXPECT_EQ(device.accelerator, "GPU of driver vc4-drm");
}

TEST_F(DeviceInfoTest, NvidiaGpuIsNamedByItsDriver) {
  Write("proc/driver/nvidia/gpus/0000:01:00.0/information", "Model: \t\t NVIDIA H200\nIRQ:   \t\t 18\n");
  EXPECT_EQ(DescribeDevice(root_.path()).accelerator, "NVIDIA H200");
}

TEST_F(DeviceInfoTest, FingerprintTellsDevicesApartThatDifferInCachesOrClocks) {
  Write("proc/cpuinfo", ArmCore(0, "0xd08"));
  const std::string bare = DescribeDevice(root_.path()).fingerprint;
  Write("sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq", "1500000\n");
  const std::string slow = DescribeDevice(root_.path()).fingerprint;
  Write("sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq", "1800000\n");
  const std::string fast = DescribeDevice(root_.path()).fingerprint;
  Write("sys/devices/system/cpu/cpu0/cache/index0/size", "32K\n");
  const std::string cached = DescribeDevice(root_.path()).fingerprint;
  EXPECT_NE(bare, slow);
  EXPECT_NE(slow, fast);
  EXPECT_NE(fast, cached);
  EXPECT_EQ(cached, DescribeDevice(root_.path()).fingerprint);
}

TEST_F(DeviceInfoTest, CalibrationIsKeptForItsKeyOnly) {
  const std::string path = root_.File("calibration.json");
  EXPECT_FALSE(LoadCalibration(path, "a"));
  ASSERT_TRUE(StoreCalibration(path, "a", {.peak_gflops = 118.5, .bandwidth_gbps = 27}).ok());
  const auto kept = LoadCalibration(path, "a");
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->peak_gflops, 118.5);
  EXPECT_EQ(kept->bandwidth_gbps, 27);
  EXPECT_FALSE(LoadCalibration(path, "b"));
  for (const char* damaged : {"", "{", "[]", "{\"key\":\"a\",\"peak_gflops\":\"x\",\"bandwidth_gbps\":1}"}) {
    ASSERT_TRUE(WriteFile(path, damaged).ok());
    EXPECT_FALSE(LoadCalibration(path, "a")) << damaged;
  }
}

}  // namespace
}  // namespace tilth
