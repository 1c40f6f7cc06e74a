#include "tuner/replay.h"

#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "base/files.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/support/tilth_program.h"

namespace tilth {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

// A cache file like Kernel Tuner's, of our own making: 7 x 7 x 3 x 2 points, noisy, some failed.
std::string Cache() {
  Json cache = {{"device_name", "synthetic"}, {"kernel_name", "tiles"}};
  cache["tune_params_keys"] = {"X", "Y", "UNROLL", "PACK"};
  cache["tune_params"] = {
      {"X", {1, 2, 4, 8, 16, 32, 64}}, {"Y", {1, 2, 4, 8, 16, 32, 64}}, {"UNROLL", {1, 2, 4}}, {"PACK", {0, 1}}};
  for (int x = 0; x < 7; ++x) {
    for (int y = 0; y < 7; ++y) {
      for (int unroll = 0; unroll < 3; ++unroll) {
        for (int pack = 0; pack < 2; ++pack) {
          Json entry = {{"X", 1 << x}, {"Y", 1 << y}, {"UNROLL", 1 << unroll}, {"PACK", pack}};
          const double ms =
              2 + 0.5 * std::pow(x - 4, 2) + 0.3 * std::pow(y - 1, 2) + 0.2 * std::pow(unroll - 1, 2) + pack;
          if (x + y > 10) {
            entry["time"] = "RuntimeFailedConfig";
          } else {
            entry["time"] = ms;
            entry["times"] = {0.99 * ms, ms, 1.01 * ms};
          }
          cache["cache"][absl::StrCat(1 << x, ",", 1 << y, ",", 1 << unroll, ",", pack)] = std::move(entry);
        }
      }
    }
  }
  return cache.dump();
}

std::unique_ptr<RecordedSpace> Recorded() { return RecordedSpace::Parse(Cache(), "tiles").value(); }

TEST(Replay, RandomReachesItsExactExpectation) {
  const auto recorded = Recorded();
  const auto result = Replay(*recorded, {.policy = "random", .budget = 30, .seeds = 400}, {});
  ASSERT_TRUE(result.ok()) << result.status();
  for (size_t evaluations : {1u, 5u, 30u})
    EXPECT_NEAR(MeanAfter(result->fractions, evaluations), result->random_expectation[evaluations - 1], 0.03);
}

TEST(Replay, SearchFindsTheOptimumSooner) {
  const auto recorded = Recorded();
  const auto result = Replay(*recorded, {.budget = 40, .seeds = 8}, {});
  ASSERT_TRUE(result.ok()) << result.status();
  const ReplayScore score = ScoreOf(result->fractions);
  EXPECT_GT(score.mean, 0.99);
  EXPECT_GE(score.mean, score.ci95_low);
  EXPECT_LE(score.mean, score.ci95_high);
  EXPECT_LE(score.worst, score.mean);
  EXPECT_GT(score.evaluations_to_95_percent, 0);
  EXPECT_LE(score.evaluations_to_95_percent, 40);
}

TEST(Replay, EndsWithTheWholeSpace) {
  const auto recorded = Recorded();
  const auto result = Replay(*recorded, {.policy = "random", .budget = 400, .seeds = 2}, {});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->points, 294u);
  EXPECT_EQ(result->fractions[0].size(), 400u);
  EXPECT_GT(result->fractions[0].back(), 0.97);  // noise may prefer a rival
  EXPECT_NEAR(result->random_expectation.back(), 1, 1e-9);
}

TEST(Replay, SpacesAreAveragedSeedBySeed) {
  ReplayResult a, b;
  a.fractions = {{0.2, 0.8}, {0.4, 1.0}};
  b.fractions = {{0.4, 1.0}, {0.8, 1.0}};
  const auto means = MeanFractions({a, b});
  EXPECT_DOUBLE_EQ(means[0][0], 0.3);
  EXPECT_DOUBLE_EQ(means[1][1], 1.0);
  EXPECT_DOUBLE_EQ(MeanAfter(means, 1), 0.45);
  const ReplayScore score = ScoreOf(means);
  EXPECT_DOUBLE_EQ(score.worst, 0.9);
  EXPECT_EQ(score.evaluations_to_95_percent, 2);
}

TEST(ReplayCommand, PrintsOneDocument) {
  const TempDir directory = TempDir::Create().value();
  const std::string path = directory.File("tiles.json");
  ASSERT_TRUE(WriteFile(path, Cache()).ok());
  const ProgramResult result = RunTilth({"replay", path, "--budget", "40", "--seeds", "4", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const Json json = Json::parse(result.out);
  EXPECT_GT(json["mean_fraction_of_optimum"].get<double>(), 0.9);
  EXPECT_LE(json["ci95_low"], json["ci95_high"]);
  EXPECT_TRUE(json["evaluations_to_95_percent"].is_number_integer());
  EXPECT_EQ(json["spaces"][0]["points"], 294);
  const ProgramResult table = RunTilth({"replay", path, path, "--budget", "8", "--seeds", "2", "--policy", "random"});
  EXPECT_EQ(table.exit_code, 0) << table.err;
  EXPECT_NE(table.out.find("mean"), std::string::npos);
}

TEST(ReplayCommand, NamesWhatIsWrongWithAFile) {
  const TempDir directory = TempDir::Create().value();
  const std::string path = directory.File("bad.json");
  ASSERT_TRUE(WriteFile(path, R"({"tune_params": {"X": [1]}, "cache": {"1": {}}})").ok());
  const ProgramResult result = RunTilth({"replay", path});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.err, "tilth replay: error: " + path + ": entry \"1\" of \"cache\" has no \"X\"\n");
  EXPECT_EQ(RunTilth({"replay", path, "--policy", "best"}).exit_code, 2);
  EXPECT_EQ(RunTilth({"replay"}).exit_code, 2);
}

// A loose bound from few seeds; the figures themselves are in docs/decisions and the benchmark.
TEST(Replay, DefaultIsNearTheOptimumOfSharedSpaces) {
  const char* const given = std::getenv("TILTH_SHARED");
  const fs::path spaces = (given != nullptr ? fs::path(given) : fs::path(TILTH_SOURCE_DIR) / "../shared") / "spaces";
  if (!fs::exists(spaces)) GTEST_SKIP() << "no shared spaces beside the source; set TILTH_SHARED";
  for (const auto& file : fs::directory_iterator(spaces)) {
    if (file.path().extension() != ".gz") continue;
    const auto recorded = RecordedSpace::Read(file.path().string());
    ASSERT_TRUE(recorded.ok()) << recorded.status();
    const auto result = Replay(**recorded, {.budget = 100, .seeds = 4}, {});
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_GT(ScoreOf(result->fractions).mean, 0.82) << file.path();
    EXPECT_GT(ScoreOf(result->fractions).mean, result->random_expectation.back()) << file.path();
  }
}

}  // namespace
}  // namespace tilth
