#include "cost_model/features.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <set>
#include <sstream>

#include "base/rng.h"
#include "cost_model/feature_batch.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cost_model/matmul_nest.h"

namespace tilth {
namespace {

std::vector<float> FeaturesOf(const OwnedNest& owned) {
  std::vector<float> row(static_cast<size_t>(NumFeatures()));
  ExtractFeatures(owned.nest, TestTarget(), row);
  return row;
}

float Named(const std::vector<float>& row, const std::string& name) {
  const auto& names = FeatureNames();
  const auto found = std::find(names.begin(), names.end(), name);
  EXPECT_NE(found, names.end()) << name;
  return row[static_cast<size_t>(found - names.begin())];
}

double PriorNs(const OwnedNest& nest) { return std::exp2(Named(FeaturesOf(nest), "prior.time")) - 1; }

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
  OwnedNest empty;
  empty.nest.schedule = ElementwiseSchedule{};
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
  OwnedNest nest = MatmulNest({});
  EXPECT_FLOAT_EQ(Named(FeaturesOf(nest), "copy.bytes"), 0.0f);
  nest.nest.AddCopy({.tensor = 0, .elements = 512 * 512, .executions = 2, .contiguous = false});
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
  const OwnedNest nest = MatmulNest({.task_rows = 64, .task_columns = 128, .rows = 8, .vectors = 2});
  const Target target = TestTarget();
  const double peak_flops_per_ns = 2.0 * 16 * target.fma_per_cycle * target.clock_ghz;
  EXPECT_GE(PriorNs(nest), nest.nest.flops / peak_flops_per_ns);
}

TEST(AnalyticPrior, ChargesCopies) {
  OwnedNest nest = MatmulNest({.rows = 8, .vectors = 2});
  const double without = PriorNs(nest);
  nest.nest.AddCopy({.tensor = 0, .elements = 512 * 512, .executions = 1, .contiguous = true});
  const double with = PriorNs(nest);
  nest.nest.copies[0].contiguous = false;
  EXPECT_LT(without, with);
  EXPECT_LT(with, PriorNs(nest));
}

// Random candidates of kernels of all kinds.
std::vector<std::unique_ptr<SearchSpace>> KernelSpaces() {
  std::vector<std::unique_ptr<SearchSpace>> spaces;
  for (const char* text :
       {"tilth workload 1\nt0 input f32[1,28,28,64]\nt1 constant f32[64,64,3,3]\nt2 output f32[1,28,28,64]\n"
        "t2[i0, i1, i2, i3] for i0:1 i1:28 i2:28 i3:64 = sum[r0:3 r1:3 r2:64] (select((((0 <= ((i1 + r0) - 1)) & "
        "(((i1 + r0) - 1) < 28)) & ((0 <= ((i2 + r1) - 1)) & (((i2 + r1) - 1) < 28))), "
        "t0[i0, ((i1 + r0) - 1), ((i2 + r1) - 1), r2], 0.0) * t1[i3, r2, r0, r1])\n",
        "tilth workload 1\nt0 input f32[64,96]\nt1 input f32[96,70]\nt2 output f32[64,70]\n"
        "t2[i0, i1] for i0:64 i1:70 = sum[r0:96] (t0[i0, r0] * t1[r0, i1])\n",
        "tilth workload 1\nt0 input f32[40,1000]\nt1 output f32[40,1000]\n"
        "t1[i0, i1] for i0:40 i1:1000 = (t0[i0, i1] + 1.0)\n"})
    spaces.push_back(SearchSpace::Create(ParseWorkload(text).value(), ParseTarget("x86-64-v4").value()).value());
  return spaces;
}

TEST(FeatureBatch, EveryPathGivesTheSameBits) {
  for (const auto& space : KernelSpaces()) {
    Rng rng(3);
    std::vector<LoopNest> nests;
    for (int i = 0; i < 500; ++i) nests.push_back(space->Resolve(space->Random(rng)));
    std::vector<float> expected;
    for (VectorPath path : AvailableVectorPaths()) {
      FeatureBatch batch(space->target(), KernelsOf(path));
      for (size_t i = 0; i < nests.size(); ++i) batch.Add(nests[i], static_cast<int>(i));
      batch.Flush();
      const std::vector<float> values = batch.features().RowMajor();
      for (float value : values) ASSERT_TRUE(std::isfinite(value));
      if (expected.empty()) expected = values;
      EXPECT_TRUE(std::memcmp(values.data(), expected.data(), values.size() * sizeof(float)) == 0) << NameOf(path);
    }
  }
}

TEST(FeatureBatch, ARowDoesNotDependOnItsCompany) {
  for (const auto& space : KernelSpaces()) {
    Rng rng(4);
    std::vector<Candidate> candidates;
    for (int i = 0; i < 100; ++i) candidates.push_back(space->Random(rng));
    const FeatureMatrix together = ExtractFeatures(*space, candidates);
    std::vector<float> alone(static_cast<size_t>(NumFeatures()));
    for (int i = 0; i < together.rows(); ++i) {
      ExtractFeatures(space->Resolve(candidates[static_cast<size_t>(i)]), space->target(), alone);
      EXPECT_EQ(together.row(i), alone);
    }
  }
}

TEST(FeatureBatch, RowsComeOncePerCandidateWithItsId) {
  const OwnedNest nest = MatmulNest({}), other = MatmulNest({.rows = 8});
  FeatureBatch batch(TestTarget());
  for (int i = 0; i < 20; ++i) batch.Add(i % 2 == 0 ? nest.nest : other.nest, i);
  EXPECT_EQ(batch.ids().size(), 0u);
  batch.Flush();
  std::multiset<int> ids(batch.ids().begin(), batch.ids().end());
  EXPECT_EQ(batch.features().rows(), static_cast<int>(ids.size()));
  ids.erase(-1);
  EXPECT_EQ(ids.size(), 20u);
  EXPECT_EQ(std::set<int>(ids.begin(), ids.end()).size(), 20u);
  batch.ClearRows();
  batch.Flush();
  EXPECT_EQ(batch.ids().size(), 0u);
}

}  // namespace
}  // namespace tilth
