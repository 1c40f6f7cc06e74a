// Schedules of small shapes against the reference interpreter: odd sizes, tails, every sketch; random candidates by
// seed.
#include <gtest/gtest.h>

#include "base/rng.h"
#include "compiler/lower/lower.h"
#include "search_space/space.h"
#include "tests/compiler/lower/schedule_harness.h"

namespace tilth {
namespace {

constexpr char kMatmul[] = R"(tilth workload 1
t0 input f32[13,37]
t1 input f32[37,45]
t2 output f32[13,45]
t2[i0, i1] for i0:13 i1:45 = sum[r0:37] (t0[i0, r0] * t1[r0, i1])
)";

constexpr char kMatmulTransposedEpilogue[] = R"(tilth workload 1
t0 input f32[29,70]
t1 constant f32[19,70]
t2 constant f32[19]
t3 output f32[29,19]
t4 temporary f32[29,19]
t4[i0, i1] for i0:29 i1:19 = sum[r0:70] (t0[i0, r0] * t1[i1, r0])
t3[i0, i1] for i0:29 i1:19 = max((t4[i0, i1] + t2[i1]), 0.0)
)";

constexpr char kBatchedMatmul[] = R"(tilth workload 1
t0 input f32[3,9,17]
t1 input f32[3,21,17]
t2 output f32[3,9,21]
t2[i0, i1, i2] for i0:3 i1:9 i2:21 = sum[r0:17] (t0[i0, i1, r0] * t1[i0, i2, r0])
)";

constexpr char kConvolution[] = R"(tilth workload 1
t0 input f32[1,9,11,5]
t1 constant f32[18,5,3,3]
t2 constant f32[18]
t3 output f32[1,9,11,18]
t4 temporary f32[1,9,11,18]
t4[i0, i1, i2, i3] for i0:1 i1:9 i2:11 i3:18 = sum[r0:3 r1:3 r2:5] (select((((0 <= ((i1 + r0) + -1)) & (((i1 + r0) + -1) < 9)) & ((0 <= ((i2 + r1) + -1)) & (((i2 + r1) + -1) < 11))), t0[i0, ((i1 + r0) + -1), ((i2 + r1) + -1), r2], 0.0) * t1[i3, r2, r0, r1])
t3[i0, i1, i2, i3] for i0:1 i1:9 i2:11 i3:18 = max((t4[i0, i1, i2, i3] + t2[i3]), 0.0)
)";

// No padding, two images, five taps; outputs end within tiles of every size.
constexpr char kWideWindow[] = R"(tilth workload 1
t0 input f32[2,11,13,18]
t1 constant f32[33,18,5,5]
t2 input f32[2,7,9,33]
t3 output f32[2,7,9,33]
t4 temporary f32[2,7,9,33]
t4[i0, i1, i2, i3] for i0:2 i1:7 i2:9 i3:33 = sum[r0:5 r1:5 r2:18] (t0[i0, (i1 + r0), (i2 + r1), r2] * t1[i3, r2, r0, r1])
t3[i0, i1, i2, i3] for i0:2 i1:7 i2:9 i3:33 = (t4[i0, i1, i2, i3] + t2[i0, i1, i2, i3])
)";

// A window in one dimension; padding on one side only.
constexpr char kOneDimensionalWindow[] = R"(tilth workload 1
t0 input f32[1,5,10,20]
t1 constant f32[24,20,1,3]
t2 output f32[1,5,10,24]
t2[i0, i1, i2, i3] for i0:1 i1:5 i2:10 i3:24 = sum[r0:1 r1:3 r2:20] (select((0 <= ((i2 + r1) + -2)), t0[i0, i1, ((i2 + r1) + -2), r2], 0.0) * t1[i3, r2, r0, r1])
)";

constexpr char kStridedConvolution[] = R"(tilth workload 1
t0 input f32[2,12,13,3]
t1 constant f32[20,3,3,3]
t2 output f32[2,6,7,20]
t2[i0, i1, i2, i3] for i0:2 i1:6 i2:7 i3:20 = sum[r0:3 r1:3 r2:3] (select((((0 <= (((i1 * 2) + r0) + -1)) & ((((i1 * 2) + r0) + -1) < 12)) & ((0 <= (((i2 * 2) + r1) + -1)) & ((((i2 * 2) + r1) + -1) < 13))), t0[i0, (((i1 * 2) + r0) + -1), (((i2 * 2) + r1) + -1), r2], 0.0) * t1[i3, r2, r0, r1])
)";

// A window larger than the image, so that it leaves it on both sides at once.
constexpr char kWindowLargerThanImage[] = R"(tilth workload 1
t0 input f32[1,4,5,3]
t1 constant f32[20,3,7,7]
t2 output f32[1,4,5,20]
t2[i0, i1, i2, i3] for i0:1 i1:4 i2:5 i3:20 = sum[r0:7 r1:7 r2:3] (select((((0 <= ((i1 + r0) + -3)) & (((i1 + r0) + -3) < 4)) & ((0 <= ((i2 + r1) + -3)) & (((i2 + r1) + -3) < 5))), t0[i0, ((i1 + r0) + -3), ((i2 + r1) + -3), r2], 0.0) * t1[i3, r2, r0, r1])
)";

constexpr char kDilatedConvolution[] = R"(tilth workload 1
t0 input f32[1,11,14,6]
t1 constant f32[17,6,3,3]
t2 output f32[1,6,7,17]
t2[i0, i1, i2, i3] for i0:1 i1:6 i2:7 i3:17 = sum[r0:3 r1:3 r2:6] (select((((0 <= (((i1 * 2) + (r0 * 2)) + -2)) & ((((i1 * 2) + (r0 * 2)) + -2) < 11)) & ((0 <= (((i2 * 2) + (r1 * 2)) + -2)) & ((((i2 * 2) + (r1 * 2)) + -2) < 14))), t0[i0, (((i1 * 2) + (r0 * 2)) + -2), (((i2 * 2) + (r1 * 2)) + -2), r2], 0.0) * t1[i3, r2, r0, r1])
)";

constexpr char kPlanarInputConvolution[] = R"(tilth workload 1
t0 input f32[1,3,12,13]
t1 constant f32[20,3,3,3]
t2 output f32[1,6,7,20]
t2[i0, i1, i2, i3] for i0:1 i1:6 i2:7 i3:20 = sum[r0:3 r1:3 r2:3] (select((((0 <= (((i1 * 2) + r0) + -1)) & ((((i1 * 2) + r0) + -1) < 12)) & ((0 <= (((i2 * 2) + r1) + -1)) & ((((i2 * 2) + r1) + -1) < 13))), t0[i0, r2, (((i1 * 2) + r0) + -1), (((i2 * 2) + r1) + -1)], 0.0) * t1[i3, r2, r0, r1])
)";

constexpr char kGroupedConvolution[] = R"(tilth workload 1
t0 input f32[1,7,7,12]
t1 constant f32[18,4,3,3]
t2 output f32[1,5,5,18]
t2[i0, i1, i2, ((i3 * 6) + i4)] for i0:1 i1:5 i2:5 i3:3 i4:6 = sum[r0:3 r1:3 r2:4] (t0[i0, (i1 + r0), (i2 + r1), ((i3 * 4) + r2)] * t1[((i3 * 6) + i4), r2, r0, r1])
)";

// Groups of few filters, several of which share a vector; the last has channels too far apart for one load.
constexpr char kGroupsOfFour[] = R"(tilth workload 1
t0 input f32[1,5,6,36]
t1 constant f32[36,4,3,3]
t2 constant f32[36]
t3 output f32[1,5,6,36]
t4 temporary f32[1,5,6,36]
t4[i0, i1, i2, ((i3 * 4) + i4)] for i0:1 i1:5 i2:6 i3:9 i4:4 = sum[r0:3 r1:3 r2:4] (select((((0 <= ((i1 + r0) + -1)) & (((i1 + r0) + -1) < 5)) & ((0 <= ((i2 + r1) + -1)) & (((i2 + r1) + -1) < 6))), t0[i0, ((i1 + r0) + -1), ((i2 + r1) + -1), ((i3 * 4) + r2)], 0.0) * t1[((i3 * 4) + i4), r2, r0, r1])
t3[i0, i1, i2, ((i3 * 4) + i4)] for i0:1 i1:5 i2:6 i3:9 i4:4 = max((t4[i0, i1, i2, ((i3 * 4) + i4)] + t2[((i3 * 4) + i4)]), 0.0)
)";

constexpr char kGroupsOfTwo[] = R"(tilth workload 1
t0 input f32[1,6,5,19]
t1 constant f32[38,1,3,3]
t2 output f32[1,6,5,38]
t2[i0, i1, i2, ((i3 * 2) + i4)] for i0:1 i1:6 i2:5 i3:19 i4:2 = sum[r0:3 r1:3 r2:1] (select((((0 <= ((i1 + r0) + -1)) & (((i1 + r0) + -1) < 6)) & ((0 <= ((i2 + r1) + -1)) & (((i2 + r1) + -1) < 5))), t0[i0, ((i1 + r0) + -1), ((i2 + r1) + -1), ((i3 * 1) + r2)], 0.0) * t1[((i3 * 2) + i4), r2, r0, r1])
)";

constexpr char kWideGroups[] = R"(tilth workload 1
t0 input f32[1,5,5,45]
t1 constant f32[20,9,3,3]
t2 output f32[1,5,5,20]
t2[i0, i1, i2, ((i3 * 4) + i4)] for i0:1 i1:5 i2:5 i3:5 i4:4 = sum[r0:3 r1:3 r2:9] (select((((0 <= ((i1 + r0) + -1)) & (((i1 + r0) + -1) < 5)) & ((0 <= ((i2 + r1) + -1)) & (((i2 + r1) + -1) < 5))), t0[i0, ((i1 + r0) + -1), ((i2 + r1) + -1), ((i3 * 9) + r2)], 0.0) * t1[((i3 * 4) + i4), r2, r0, r1])
)";

constexpr char kDepthwise[] = R"(tilth workload 1
t0 input f32[1,8,9,21]
t1 constant f32[21,1,3,3]
t2 constant f32[21]
t3 output f32[1,8,9,21]
t4 temporary f32[1,8,9,21]
t4[i0, i1, i2, i3] for i0:1 i1:8 i2:9 i3:21 = sum[r0:3 r1:3] (select((((0 <= ((i1 + r0) + -1)) & (((i1 + r0) + -1) < 8)) & ((0 <= ((i2 + r1) + -1)) & (((i2 + r1) + -1) < 9))), t0[i0, ((i1 + r0) + -1), ((i2 + r1) + -1), i3], 0.0) * t1[i3, 0, r0, r1])
t3[i0, i1, i2, i3] for i0:1 i1:8 i2:9 i3:21 = min(max((t4[i0, i1, i2, i3] + t2[i3]), 0.0), 6.0)
)";

constexpr char kMaxPool[] = R"(tilth workload 1
t0 input f32[1,11,11,19]
t1 output f32[1,5,5,19]
t1[i0, i1, i2, i3] for i0:1 i1:5 i2:5 i3:19 = max[r0:3 r1:3] select((((i1 * 2) + r0) < 11), t0[i0, ((i1 * 2) + r0), ((i2 * 2) + r1), i3], -inf)
)";

constexpr char kGlobalAverage[] = R"(tilth workload 1
t0 input f32[1,7,7,35]
t1 output f32[1,35]
t2 temporary f32[1,35]
t2[i0, i1] for i0:1 i1:35 = sum[r0:7 r1:7] t0[i0, r0, r1, i1]
t1[i0, i1] for i0:1 i1:35 = (t2[i0, i1] * 0.02040816)
)";

constexpr char kSoftmax[] = R"(tilth workload 1
t0 input f32[3,5,37]
t1 output f32[3,5,37]
t2 temporary f32[3,5]
t3 temporary f32[3,5,37]
t4 temporary f32[3,5]
t2[i0, i1] for i0:3 i1:5 = max[r0:37] t0[i0, i1, r0]
t3[i0, i1, i2] for i0:3 i1:5 i2:37 = exp((t0[i0, i1, i2] - t2[i0, i1]))
t4[i0, i1] for i0:3 i1:5 = sum[r0:37] t3[i0, i1, r0]
t1[i0, i1, i2] for i0:3 i1:5 i2:37 = (t3[i0, i1, i2] / t4[i0, i1])
)";

constexpr char kShortSoftmax[] = R"(tilth workload 1
t0 input f32[1,45,2]
t1 output f32[1,45,2]
t2 temporary f32[1,45]
t3 temporary f32[1,45,2]
t4 temporary f32[1,45]
t2[i0, i1] for i0:1 i1:45 = max[r0:2] t0[i0, i1, r0]
t3[i0, i1, i2] for i0:1 i1:45 i2:2 = exp((t0[i0, i1, i2] - t2[i0, i1]))
t4[i0, i1] for i0:1 i1:45 = sum[r0:2] t3[i0, i1, r0]
t1[i0, i1, i2] for i0:1 i1:45 i2:2 = (t3[i0, i1, i2] / t4[i0, i1])
)";

constexpr char kTranspose[] = R"(tilth workload 1
t0 input f32[1,19,7,6]
t1 output f32[1,7,6,19]
t1[i0, i1, i2, i3] for i0:1 i1:7 i2:6 i3:19 = t0[i0, i3, i1, i2]
)";

constexpr char kSlicedGelu[] = R"(tilth workload 1
t0 input f32[5,33]
t1 output f32[5,70]
t1[i0, (i1 + 20)] for i0:5 i1:33 = ((t0[i0, i1] * 0.5) * (erf((t0[i0, i1] * 0.70710678)) + 1.0))
)";

constexpr char kMatrixVector[] = R"(tilth workload 1
t0 input f32[1,67]
t1 constant f32[100,67]
t2 constant f32[100]
t3 output f32[1,100]
t4 temporary f32[1,100]
t4[i0, i1] for i0:1 i1:100 = sum[r0:67] (t0[i0, r0] * t1[i1, r0])
t3[i0, i1] for i0:1 i1:100 = (t4[i0, i1] + t2[i1])
)";

struct Named {
  const char* name;
  const char* text;
};

class Schedules : public testing::TestWithParam<Named> {};

Status RunCandidate(const ReferenceCase& reference, const SearchSpace& space, const Candidate& candidate,
                    bool interpret) {
  TILTH_ASSIGN_OR_RETURN(LoopProgram program, Lower(space.workload(), space.Resolve(candidate)), "lowering");
  if (interpret) {
    std::vector<TensorValue> arguments = ArgumentsOf(reference);
    TILTH_RETURN_IF_ERROR(Interpret(program, &arguments), "interpreting\n", ToText(program));
    TILTH_RETURN_IF_ERROR(CompareOutputs(reference, arguments), "interpreted\n", ToText(program));
  }
  std::vector<TensorValue> arguments = ArgumentsOf(reference);
  TILTH_RETURN_IF_ERROR(RunNative(program, space.target(), &arguments), "native");
  return Annotate(CompareOutputs(reference, arguments), StrCat("native\n", ToText(program)));
}

TEST_P(Schedules, AgreeWithTheInterpreter_OnEverySketchAndRandomCandidates) {
  const ReferenceCase reference = MakeCase(GetParam().text);
  for (const char* target_name : {"native", "x86-64-v3"}) {
    StatusOr<Target> target = ParseTarget(target_name);
    ASSERT_TRUE(target.ok()) << target.status();
    if (!RunsOnThisMachine(*target)) continue;
    StatusOr<std::unique_ptr<SearchSpace>> space = SearchSpace::Create(reference.workload, *target);
    ASSERT_TRUE(space.ok()) << space.status();
    Rng rng(7);
    const uint64_t size = (*space)->Size();
    const uint64_t runs = size <= 100 ? size : 24;  // exhaustive where the space is small
    for (uint64_t i = 0; i < runs + (*space)->sketches().size(); ++i) {
      Candidate candidate;
      if (i < (*space)->sketches().size()) {
        candidate = (*space)->Defaults()[i];
      } else {
        candidate = runs == size ? (*space)->At(i - (*space)->sketches().size()) : (*space)->Random(rng);
      }
      const Status status = RunCandidate(reference, **space, candidate, /*interpret=*/i % 3 == 0);
      ASSERT_TRUE(status.ok()) << target_name << " " << ToJson((*space)->ToDecisions(candidate)) << "\n" << status;
    }
  }
}

TEST_P(Schedules, BaselineAgreesWithTheInterpreter) {
  const ReferenceCase reference = MakeCase(GetParam().text);
  StatusOr<LoopProgram> program = LowerNaively(reference.workload);
  ASSERT_TRUE(program.ok()) << program.status();
  std::vector<TensorValue> arguments = ArgumentsOf(reference);
  Status status = RunNative(*program, *ParseTarget("native"), &arguments);
  ASSERT_TRUE(status.ok()) << status;
  status = CompareOutputs(reference, arguments);
  EXPECT_TRUE(status.ok()) << status;
}

INSTANTIATE_TEST_SUITE_P(
    SmallShapes, Schedules,
    testing::Values(
        Named{"Matmul", kMatmul}, Named{"MatmulTransposedEpilogue", kMatmulTransposedEpilogue},
        Named{"BatchedMatmul", kBatchedMatmul}, Named{"Convolution", kConvolution}, Named{"WideWindow", kWideWindow},
        Named{"WindowLargerThanImage", kWindowLargerThanImage}, Named{"DilatedConvolution", kDilatedConvolution},
        Named{"OneDimensionalWindow", kOneDimensionalWindow}, Named{"StridedConvolution", kStridedConvolution},
        Named{"PlanarInputConvolution", kPlanarInputConvolution}, Named{"GroupedConvolution", kGroupedConvolution},
        Named{"GroupsOfFour", kGroupsOfFour}, Named{"GroupsOfTwo", kGroupsOfTwo}, Named{"WideGroups", kWideGroups},
        Named{"Depthwise", kDepthwise}, Named{"MaxPool", kMaxPool}, Named{"GlobalAverage", kGlobalAverage},
        Named{"Softmax", kSoftmax}, Named{"ShortSoftmax", kShortSoftmax}, Named{"Transpose", kTranspose},
        Named{"SlicedGelu", kSlicedGelu}, Named{"MatrixVector", kMatrixVector}),
    [](const testing::TestParamInfo<Named>& info) { return info.param.name; });

}  // namespace
}  // namespace tilth
