#include "rpc_agent/sensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"

namespace tilth {
namespace {

using ::testing::ElementsAre;

class SensorsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto root = TempDir::Create();
    ASSERT_TRUE(root.ok());
    root_.emplace(std::move(*root));
  }
  void Write(const std::string& path, const std::string& text) {
    const std::string file = root_->File(path);
    ASSERT_TRUE(MakeDirectories(file.substr(0, file.rfind('/'))).ok());
    ASSERT_TRUE(WriteFile(file, text).ok());
  }
  std::optional<TempDir> root_;
};

TEST_F(SensorsTest, NothingReadableIsNotZeroDegrees) {
  Sensors sensors(0, root_->path());
  const SensorReading reading = sensors.Read();
  EXPECT_FALSE(reading.temperature_c || reading.frequency_mhz || reading.throttled);
  EXPECT_TRUE(sensors.ThermalZones().empty());
}

TEST_F(SensorsTest, HottestZoneCountsAndGarbageDoesNot) {
  Write("sys/class/thermal/thermal_zone0/temp", "48312\n");
  Write("sys/class/thermal/thermal_zone0/type", "cpu-thermal\n");
  Write("sys/class/thermal/thermal_zone1/temp", "61000\n");
  Write("sys/class/thermal/thermal_zone1/type", "gpu-thermal\n");
  Write("sys/class/thermal/thermal_zone2/temp", "-274000\n");
  Write("sys/class/thermal/thermal_zone3/type", "no-temp\n");
  Sensors sensors(0, root_->path());
  EXPECT_EQ(sensors.Read().temperature_c, 61);
  EXPECT_THAT(sensors.ThermalZones(), ElementsAre("cpu-thermal", "gpu-thermal"));
}

TEST_F(SensorsTest, FrequencyIsThatOfTheMeasuringCore) {
  Write("sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "600000\n");
  Write("sys/devices/system/cpu/cpu3/cpufreq/scaling_cur_freq", "1800000\n");
  EXPECT_EQ(Sensors(3, root_->path()).Read().frequency_mhz, 1800);
  EXPECT_EQ(Sensors(-1, root_->path()).Read().frequency_mhz, 600);
}

TEST_F(SensorsTest, RaspberryPiFirmwareTellsWhatIsSoNowAndWhatHasBeen) {
  const std::string path = "sys/devices/platform/soc/soc:firmware/get_throttled";
  Write(path, "50000\n");
  Sensors sensors(0, root_->path());
  EXPECT_EQ(sensors.Read().throttled, false);
  Write(path, "50005\n");
  EXPECT_EQ(sensors.Read().throttled, true);
}

TEST_F(SensorsTest, CoolingByTheClockIsThrottlingAndAFanIsNot) {
  Write("sys/class/thermal/cooling_device0/type", "pwm-fan\n");
  Write("sys/class/thermal/cooling_device0/cur_state", "3\n");
  Sensors sensors(0, root_->path());
  EXPECT_FALSE(sensors.Read().throttled);
  Write("sys/class/thermal/cooling_device1/type", "thermal-cpufreq-0\n");
  Write("sys/class/thermal/cooling_device1/cur_state", "0\n");
  EXPECT_EQ(sensors.Read().throttled, false);
  Write("sys/class/thermal/cooling_device1/cur_state", "2\n");
  EXPECT_EQ(sensors.Read().throttled, true);
}

TEST_F(SensorsTest, GrowingThrottleCountIsThrottling) {
  const std::string path = "sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count";
  Write(path, "17\n");
  Sensors sensors(1, root_->path());
  EXPECT_FALSE(sensors.Read().throttled) << "one count alone tells nothing";
  EXPECT_EQ(sensors.Read().throttled, false);
  Write(path, "19\n");
  EXPECT_EQ(sensors.Read().throttled, true);
}

}  // namespace
}  // namespace tilth
