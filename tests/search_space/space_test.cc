#include "search_space/space.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "ir/target.h"

namespace tilth {
namespace {

constexpr char kMatmul[] = R"(tilth workload 1
t0 input f32[6,20]
t1 input f32[20,24]
t2 output f32[6,24]
t2[i0, i1] for i0:6 i1:24 = sum[r0:20] (t0[i0, r0] * t1[r0, i1])
)";

constexpr char kDepthwise[] = R"(tilth workload 1
t0 input f32[1,10,10,32]
t1 constant f32[32,1,3,3]
t2 output f32[1,8,8,32]
t2[i0, i1, i2, i3] for i0:1 i1:8 i2:8 i3:32 = sum[r0:3 r1:3] (t0[i0, (i1 + r0), (i2 + r1), i3] * t1[i3, 0, r0, r1])
)";

std::unique_ptr<SearchSpace> MakeSpace(const char* text, const char* target = "x86-64-v4") {
  return std::move(SearchSpace::Create(*ParseWorkload(text), *ParseTarget(target))).value();
}

constexpr char kConvolution[] = R"(tilth workload 1
t0 input f32[1,30,30,64]
t1 constant f32[64,64,3,3]
t2 output f32[1,28,28,64]
t2[i0, i1, i2, i3] for i0:1 i1:28 i2:28 i3:64 = sum[r0:3 r1:3 r2:64] (t0[i0, (i1 + r0), (i2 + r1), r2] * t1[i3, r2, r0, r1])
)";

TEST(SearchSpace, DefaultsBelongToTheirSketches) {
  const auto space = MakeSpace(kConvolution);
  ASSERT_GT(space->sketches().size(), 1u);
  EXPECT_EQ(space->Defaults()[0], space->Default());
  for (size_t i = 0; i < space->sketches().size(); ++i) {
    const Decisions decisions = space->ToDecisions(space->Defaults()[i]);
    EXPECT_EQ(decisions.sketch, space->sketches()[i]->name());
    EXPECT_EQ(*space->FromDecisions(decisions), space->Defaults()[i]);
  }
}

TEST(SearchSpace, TapsOutsideTheImageAreNoOperations) {
  const auto space = MakeSpace(R"(tilth workload 1
t0 input f32[1,7,9,32]
t1 constant f32[32,1,3,3]
t2 output f32[1,7,9,32]
t2[i0, i1, i2, i3] for i0:1 i1:7 i2:9 i3:32 = sum[r0:3 r1:3] (select((((0 <= ((i1 + r0) + -1)) & (((i1 + r0) + -1) < 7)) & ((0 <= ((i2 + r1) + -1)) & (((i2 + r1) + -1) < 9))), t0[i0, ((i1 + r0) + -1), ((i2 + r1) + -1), i3], 0.0) * t1[i3, 0, r0, r1])
)");
  // Of the 3 taps at 7 rows two fall outside, and two at 9 columns.
  EXPECT_NEAR(space->LeastFlops(), Flops(space->workload()) * 19 / 21 * 25 / 27, 1);
}

TEST(SearchSpace, WinogradNeedsFewerOperationsAndIsTheDefaultWhereItPays) {
  const auto space = MakeSpace(kConvolution);
  EXPECT_EQ(space->ToDecisions(space->Default()).sketch, "winograd");
  EXPECT_NEAR(space->LeastFlops(), Flops(space->workload()) * 36 / (16 * 9), 1);
  EXPECT_EQ(MakeSpace(kMatmul)->LeastFlops(), Flops(MakeSpace(kMatmul)->workload()));
}

TEST(SearchSpace, SizeIsTheNumberOfDistinctCandidates) {
  const auto space = MakeSpace(kMatmul);
  std::set<Candidate> distinct;
  for (uint64_t i = 0; i < space->Size(); ++i) distinct.insert(space->At(i));
  EXPECT_EQ(distinct.size(), space->Size());
}

TEST(SearchSpace, DecisionsNameEveryKnobAndComeBack) {
  for (const char* text : {kMatmul, kDepthwise}) {
    const auto space = MakeSpace(text);
    Rng rng(3);
    for (int i = 0; i < 200; ++i) {
      const Candidate candidate = space->Random(rng);
      const StatusOr<Decisions> decisions = DecisionsFromJson(ToJson(space->ToDecisions(candidate)));
      ASSERT_TRUE(decisions.ok()) << decisions.status();
      const StatusOr<Candidate> back = space->FromDecisions(*decisions);
      ASSERT_TRUE(back.ok()) << back.status();
      EXPECT_EQ(*back, candidate);
    }
  }
}

TEST(SearchSpace, StaleDecisionsSayWhichKnob) {
  const auto space = MakeSpace(kMatmul);
  Decisions decisions = space->ToDecisions(space->Default());
  decisions.values[0].second = {99, 99, 99};
  Status status = space->FromDecisions(decisions).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(std::string(status.message()).find("tile.register"), std::string::npos) << status;
  decisions.sketch = "tiled/sideways";
  status = space->FromDecisions(decisions).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
}

TEST(SearchSpace, MalformedDecisionsAreErrors) {
  for (const char* text :
       {"", "[]", "{}", "{\"sketch\":3}", "{\"sketch\":\"a\",\"k\":\"x\"}", "{\"sketch\":\"a\",\"k\":[1.5]}"})
    EXPECT_FALSE(DecisionsFromJson(text).ok()) << text;
}

TEST(SearchSpace, MutationChangesOneKnob) {
  const auto space = MakeSpace(kDepthwise);
  Rng rng(5);
  Candidate candidate = space->Random(rng);
  for (int i = 0; i < 500; ++i) {
    const Candidate child = space->Mutate(candidate, rng);
    int changed = 0;
    for (int k = 0; k < child.num_knobs; ++k) {
      changed += child.rows[k] != candidate.rows[k];
      EXPECT_LT(child.rows[k], space->sketches()[child.sketch]->knobs()[k].options.size());
    }
    EXPECT_EQ(changed, 1);
    candidate = child;
  }
}

TEST(SearchSpace, RegisterTilesFitTheRegisterFile) {
  for (const char* target : {"x86-64-v4", "x86-64-v3", "rpi4"}) {
    const auto space = MakeSpace(kMatmul, target);
    for (const auto& sketch : space->sketches())
      for (const auto& tile : sketch->knobs()[0].options)
        EXPECT_LE(tile[0] * tile[1] * tile[2] + tile[2] + 1, space->target().vector_registers);
  }
}

TEST(SearchSpace, OffersHalfVectorsWhereTheyLeaveFewerLanesUnused) {
  auto half_vectors = [](int columns) {
    const std::string text = absl::StrFormat(
        "tilth workload 1\nt0 input f32[64,32]\nt1 input f32[32,%1$d]\nt2 output f32[64,%1$d]\n"
        "t2[i0, i1] for i0:64 i1:%1$d = sum[r0:32] (t0[i0, r0] * t1[r0, i1])\n",
        columns);
    const auto space = MakeSpace(text.c_str(), "x86-64-v4");
    const auto& tiles = space->sketches()[0]->knobs()[0].options;
    return std::count_if(tiles.begin(), tiles.end(), [](const auto& tile) { return tile.size() == 4 && tile[3] == 8; });
  };
  EXPECT_EQ(half_vectors(64), 0);
  EXPECT_EQ(half_vectors(31), 0);
  EXPECT_GT(half_vectors(24), 0);
  EXPECT_GT(half_vectors(70), 0);
}

TEST(SearchSpace, LoopsCoverEveryAxis) {
  for (const char* text : {kMatmul, kDepthwise}) {
    const auto space = MakeSpace(text);
    Rng rng(11);
    for (int i = 0; i < 200; ++i) {
      const LoopNest nest = space->Resolve(space->Random(rng));
      for (size_t axis = 0; axis < nest.shape->axis_extents.size(); ++axis)
        EXPECT_EQ(nest.TileExtent(static_cast<int>(axis), 0), nest.shape->axis_extents[axis]);
      for (const NestAccess& access : nest.shape->accesses) {
        int64_t previous = access.num_elements;
        for (int depth = 0; depth <= nest.num_loops(); ++depth) {
          const int64_t footprint = nest.FootprintElements(access, depth);
          EXPECT_LE(footprint, previous);
          EXPECT_GE(footprint, 1);
          previous = footprint;
        }
      }
    }
  }
}

}  // namespace
}  // namespace tilth
