#include "tuner/summary.h"

#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace tilth {
namespace {

TuneSummary Example() {
  TuneSummary summary;
  summary.tasks.push_back({.workload_hash = "abc",
                           .name = "conv2d 3x3 64x56x56->64 +add +relu with a very long name",
                           .weight = 3,
                           .flops = 231e6,
                           .space_size = 123456789012ull,
                           .default_ns = 2e6,
                           .best_ns = 1.25e6,
                           .trials = 120,
                           .failures = 3});
  summary.tasks.push_back({.workload_hash = "def",
                           .name = "softmax",
                           .weight = 1,
                           .flops = 1e4,
                           .space_size = 12,
                           .default_ns = 0,
                           .best_ns = 0,
                           .trials = 2,
                           .failures = 2});
  summary.trials = 122;
  summary.failures = {{"compile", 3}, {"run crash", 2}};
  summary.peak_gflops = 250;
  summary.stopped_because = "converged";
  AddModelTimes(&summary);
  return summary;
}

TEST(Summary, ModelTimesAreWeightedSumsOfWhatIsKnown) {
  const TuneSummary summary = Example();
  EXPECT_DOUBLE_EQ(summary.default_ns, 6e6);
  EXPECT_DOUBLE_EQ(summary.tuned_ns, 3.75e6);
}

TEST(Summary, JsonHasTheKeysThatScriptsRelyOn) {
  const auto document = nlohmann::json::parse(ToJson(Example()));
  std::vector<std::string> keys;
  for (const auto& [key, value] : document.items()) keys.push_back(key);
  EXPECT_THAT(keys,
              testing::UnorderedElementsAre("tasks", "model", "trials", "wall_s", "candidates_scored", "build_s",
                                            "measure_s", "failures", "search_s", "learn_s", "trials_per_second",
                                            "device_busy_fraction", "duplicates", "unrecorded", "stopped_because"));
  keys.clear();
  for (const auto& [key, value] : document["tasks"][0].items()) keys.push_back(key);
  EXPECT_THAT(keys, testing::UnorderedElementsAre("workload", "name", "weight", "flops", "space_size", "default_ns",
                                                  "best_ns", "trials", "failures", "settled_because"));
  EXPECT_EQ(document["failures"]["compile"], 3);
  EXPECT_EQ(document["model"]["tuned_ns"], 3.75e6);
  EXPECT_EQ(document["tasks"][0]["space_size"], 123456789012ull);
}

TEST(Summary, JsonSurvivesNamesThatAreNotText) {
  TuneSummary summary = Example();
  summary.tasks[0].name = "conv \xff\xfe";
  EXPECT_TRUE(nlohmann::json::accept(ToJson(summary)));
}

TEST(Summary, TableFitsAHundredColumns) {
  for (const auto& line : absl::StrSplit(ToTable(Example()), '\n')) EXPECT_LE(line.size(), 100u) << line;
}

TEST(Summary, TableShowsSpeedAndShareOfPeak) {
  const std::string table = ToTable(Example());
  EXPECT_THAT(table, testing::HasSubstr("1.60x"));
  EXPECT_THAT(table, testing::HasSubstr("184.8"));
  EXPECT_THAT(table, testing::HasSubstr("74%"));
  EXPECT_THAT(table, testing::HasSubstr("3 failed: compile"));
  EXPECT_THAT(table, testing::HasSubstr("stopped because: converged; kernels: 2 wanted more"));
}

TEST(FormatTime, KeepsThreeDigits) {
  EXPECT_EQ(FormatTime(0), "-");
  EXPECT_EQ(FormatTime(7), "7.00 ns");
  EXPECT_EQ(FormatTime(999.6), "1.00 us");
  EXPECT_EQ(FormatTime(45'600), "45.6 us");
  EXPECT_EQ(FormatTime(1'234'000), "1.23 ms");
  EXPECT_EQ(FormatTime(12.3e9), "12.3 s");
}

}  // namespace
}  // namespace tilth
