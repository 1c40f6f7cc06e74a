#include "cost_model/features.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <set>
#include <sstream>

#include "cost_model/analytic_prior.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cost_model/matmul_nest.h"

namespace tilth {
namespace {

std::vector<float> FeaturesOf(const LoopNest& nest) {
  std::vector<float> row(static_cast<size_t>(NumFeatures()));
  ExtractFeatures(nest, TestTarget(), row);
  return row;
}

float Named(const std::vector<float>& row, const std::string& name) {
  const auto& names = FeatureNames();
  const auto found = std::find(names.begin(), names.end(), name);
  EXPECT_NE(found, names.end()) << name;
  return row[static_cast<size_t>(found - names.begin())];
}

double PriorNs(const LoopNest& nest) {
  const Target target = TestTarget();
  return EstimateTime(Analyze(nest, target), nest, target).TotalNs();
}

TEST(Features, NamesAreUniqueAndAsManyAsValues) {
  const std::set<std::string> unique(FeatureNames().begin(), FeatureNames().end());
  EXPECT_EQ(static_cast<int>(unique.size()), NumFeatures());
}

TEST(Features, EveryNameIsDocumented) {
  std::ifstream file(std::string(TILTH_SOURCE_DIR) + "/docs/features.md");
  std::stringstream text;
  text << file.rdbuf();
  for (const std::string& name : FeatureNames()) {
    // Blocks that repeat are documented once, as l1.… and access1.….
    std::string documented = name;
    if (name.starts_with("l2.") || name.starts_with("l3.")) documented = "l1." + name.substr(3);
    if (name.starts_with("access")) documented = "access1" + name.substr(7);
    EXPECT_THAT(text.str(), testing::HasSubstr("`" + documented + "`"));
  }
}

TEST(Features, AreFiniteForDegenerateNests) {
  for (const MatmulTiling& tiling :
       {MatmulTiling{}, MatmulTiling{.m = 1, .n = 1, .k = 1, .task_rows = 1, .task_columns = 1},
        MatmulTiling{.m = 1 << 20, .n = 1 << 20, .k = 1 << 20}}) {
    for (float value : FeaturesOf(MatmulNest(tiling))) EXPECT_TRUE(std::isfinite(value));
  }
  LoopNest empty;
  empty.schedule = ElementwiseSchedule{};
  for (float value : FeaturesOf(empty)) EXPECT_TRUE(std::isfinite(value));
}

TEST(Features, WorkDoublesWithTheProblem) {
  const auto small = FeaturesOf(MatmulNest({.m = 256}));
  const auto large = FeaturesOf(MatmulNest({.m = 512}));
  EXPECT_NEAR(Named(large, "work.flops") - Named(small, "work.flops"), 1, 1e-3);
  EXPECT_NEAR(Named(large, "work.reduction"), std::log2(513), 1e-3);
}

TEST(Features, RegisterTileIsSeen) {
  const auto row = FeaturesOf(MatmulNest({.rows = 8, .vectors = 2}));
  EXPECT_FLOAT_EQ(Named(row, "tile.register_use"), 0.5f);
  EXPECT_FLOAT_EQ(Named(row, "tile.latency_cover"), 2.0f);
  // 16 points from 8 broadcasts and 2 vectors (and no store that is not outside the reduction).
  EXPECT_NEAR(Named(row, "body.loads_per_point"), std::log2(1 + 10.0 / 16), 1e-5);
  EXPECT_FLOAT_EQ(Named(row, "tile.lane_use"), 1.0f);
}

TEST(Features, TailsAreWaste) {
  const auto even = FeaturesOf(MatmulNest({.m = 512, .n = 512, .rows = 8, .vectors = 2}));
  EXPECT_FLOAT_EQ(Named(even, "waste.tile"), 0.0f);
  EXPECT_FLOAT_EQ(Named(even, "waste.tail_axes"), 0.0f);
  const auto odd =
      FeaturesOf(MatmulNest({.m = 513, .n = 513, .task_rows = 513, .task_columns = 513, .rows = 8, .vectors = 2}));
  EXPECT_GT(Named(odd, "waste.tile"), 0.0f);
  EXPECT_FLOAT_EQ(Named(odd, "waste.tail_axes"), 2.0f);
  EXPECT_NEAR(Named(odd, "waste.lanes"), 528.0 / 513 - 1, 1e-5);
}

TEST(Features, BlockingCutsTheTrafficThatLeavesTheSecondLevel) {
  const MatmulTiling plain = {
      .m = 2048, .n = 2048, .k = 2048, .task_rows = 2048, .task_columns = 2048, .rows = 8, .vectors = 2};
  MatmulTiling blocked = plain;
  blocked.task_rows = 64, blocked.task_columns = 64;
  EXPECT_LT(Named(FeaturesOf(MatmulNest(blocked)), "l2.traffic"),
            Named(FeaturesOf(MatmulNest(plain)), "l2.traffic") - 1);
}

TEST(Features, CopiesCount) {
  LoopNest nest = MatmulNest({});
  EXPECT_FLOAT_EQ(Named(FeaturesOf(nest), "copy.bytes"), 0.0f);
  nest.copies.push_back({.tensor = 0, .elements = 512 * 512, .executions = 2, .contiguous = false});
  EXPECT_NEAR(Named(FeaturesOf(nest), "copy.bytes"), 22, 1e-3);
  EXPECT_NEAR(Named(FeaturesOf(nest), "copy.strided_bytes"), 22, 1e-3);
}

TEST(AnalyticPrior, PrefersARegisterTileAndCacheBlocksToNeither) {
  MatmulTiling tiling = {.m = 4096, .n = 4096, .k = 4096, .task_rows = 4096, .task_columns = 4096};
  const double silly = PriorNs(MatmulNest(tiling));
  tiling.rows = 8, tiling.vectors = 2;
  const double tiled = PriorNs(MatmulNest(tiling));
  tiling.task_rows = 64, tiling.task_columns = 128;
  const double blocked = PriorNs(MatmulNest(tiling));
  EXPECT_LT(tiled, silly / 3);
  EXPECT_LT(blocked, 0.9 * tiled);
}

TEST(AnalyticPrior, PrefersFullVectorsAndAccumulatorsThatFit) {
  const double wide = PriorNs(MatmulNest({.rows = 8, .vectors = 2}));
  EXPECT_LT(wide, PriorNs(MatmulNest({.rows = 8, .vectors = 2, .lanes = 4})));
  EXPECT_LT(wide, PriorNs(MatmulNest({.rows = 32, .vectors = 2})));  // 64 accumulators do not fit 32 registers
  EXPECT_LT(wide, PriorNs(MatmulNest({.rows = 2, .vectors = 1})));   // 2 chains do not cover the latency
}

TEST(AnalyticPrior, IsNeverBelowTheFmaPeak) {
  const LoopNest nest = MatmulNest({.task_rows = 64, .task_columns = 128, .rows = 8, .vectors = 2});
  const Target target = TestTarget();
  const double peak_flops_per_ns = 2.0 * 16 * target.fma_per_cycle * target.clock_ghz;
  EXPECT_GE(PriorNs(nest), nest.flops / peak_flops_per_ns);
}

TEST(AnalyticPrior, ChargesCopies) {
  LoopNest nest = MatmulNest({.rows = 8, .vectors = 2});
  const double without = PriorNs(nest);
  nest.copies.push_back({.tensor = 0, .elements = 512 * 512, .executions = 1, .contiguous = true});
  const double with = PriorNs(nest);
  nest.copies.back().contiguous = false;
  EXPECT_LT(without, with);
  EXPECT_LT(with, PriorNs(nest));
}

}  // namespace
}  // namespace tilth
