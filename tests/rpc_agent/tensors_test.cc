// Test data, guarded memory and comparison: what verification stands on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "base/rng.h"
#include "rpc_agent/runner/buffer_table.h"
#include "rpc_agent/runner/compare.h"
#include "rpc_agent/runner/guarded_buffer.h"
#include "rpc_agent/runner/half.h"
#include "rpc_agent/runner/kernel_instance.h"
#include "rpc_agent/runner/kernel_library.h"
#include "rpc_agent/runner/test_data.h"

namespace tilth::runner {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::Lt;

TEST(FillTestDataTest, FloatsAreTheCounterBasedStream) {
  std::vector<float> data(100);
  FillTestData(data.data(), TILTH_F32, 100, 42, 0);
  for (uint64_t i = 0; i < 100; ++i) EXPECT_EQ(data[i], CounterUniform(42, i));
}

TEST(FillTestDataTest, IntegersStayBelowTheirBound) {
  std::vector<int64_t> data(1000);
  FillTestData(data.data(), TILTH_I64, 1000, 42, 7);
  EXPECT_THAT(data, Each(AllOf(Ge(0), Lt(7))));
  std::vector<int8_t> bytes(1000);
  FillTestData(bytes.data(), TILTH_I8, 1000, 42, 0);
  EXPECT_THAT(bytes, Each(AllOf(Ge(-100), Lt(100))));
}

// Whatever vectors the processor has.
TEST(FillTestDataTest, EveryTypeIsComputedFromTheSameStream) {
  constexpr int kElements = 133;
  const auto bits = [](int i) { return MixBits(7 ^ MixBits(static_cast<uint64_t>(i))); };
  std::vector<int32_t> integers(kElements);
  FillTestData(integers.data(), TILTH_I32, kElements, 7, 1000);
  std::vector<uint16_t> halves(kElements), brains(kElements);
  FillTestData(halves.data(), TILTH_F16, kElements, 7, 0);
  FillTestData(brains.data(), TILTH_BF16, kElements, 7, 0);
  std::vector<uint8_t> truths(kElements);
  FillTestData(truths.data(), TILTH_BOOL, kElements, 7, 0);
  for (int i = 0; i < kElements; ++i) {
    const float uniform = CounterUniform(7, static_cast<uint64_t>(i));
    EXPECT_EQ(integers[i], static_cast<int32_t>((static_cast<unsigned __int128>(bits(i)) * 1000) >> 64));
    EXPECT_EQ(halves[i], FloatToHalf(uniform));
    EXPECT_EQ(brains[i], FloatToBFloat16(uniform));
    EXPECT_EQ(truths[i], uniform < 0 ? 0 : 1);
  }
}

TEST(HalfTest, RoundTripsEveryFiniteValueInRange) {
  for (int bits = 0; bits < 0x7c00; ++bits) {
    const float value = HalfToFloat(static_cast<uint16_t>(bits));
    if (value < 65504) {
      EXPECT_EQ(FloatToHalf(value), bits) << value;
    }
    EXPECT_EQ(HalfToFloat(static_cast<uint16_t>(bits | 0x8000)), -value);
  }
  EXPECT_EQ(BFloat16ToFloat(FloatToBFloat16(1.0f)), 1.0f);
  EXPECT_EQ(BFloat16ToFloat(FloatToBFloat16(1.00390625f)), 1.0f);  // a tie goes to the even neighbour
}

TEST(GuardedBufferTest, DataIsAlignedWritableAndEndsNearTheGuard) {
  for (int64_t size : {0, 1, 63, 64, 4096, 4097, 100'000}) {
    GuardedBuffer buffer(size);
    ASSERT_TRUE(buffer.ok());
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.data()) % 64, 0u);
    buffer.Poison();
    EXPECT_TRUE(buffer.SlackIntact());
  }
}

TEST(GuardedBufferTest, WritesJustPastTheEndAreNoticed) {
  GuardedBuffer buffer(100);
  ASSERT_TRUE(buffer.ok());
  static_cast<char*>(buffer.data())[100] = 0;
  EXPECT_FALSE(buffer.SlackIntact());
}

TEST(GuardedBufferDeathTest, WritesFurtherPastTheEndCrash) {
  GuardedBuffer buffer(100);
  ASSERT_TRUE(buffer.ok());
  EXPECT_DEATH(static_cast<volatile char*>(buffer.data())[128] = 0, "");
}

TEST(GuardedBufferDeathTest, WritesToReadOnlyDataCrash) {
  GuardedBuffer buffer(100);
  ASSERT_TRUE(buffer.ok());
  buffer.MakeReadOnly();
  EXPECT_DEATH(static_cast<volatile char*>(buffer.data())[0] = 0, "");
}

TEST(GuardedBufferTest, ImpossibleSizeIsNotOk) { EXPECT_FALSE(GuardedBuffer(int64_t{1} << 60).ok()); }

Comparison CompareFloats(std::vector<float> actual, std::vector<float> expected, OutputTolerance tolerance = {}) {
  return CompareOutputs(actual.data(), expected.data(), TILTH_F32, static_cast<int64_t>(actual.size()), tolerance);
}

float PoisonFloat() {
  float value;
  std::memcpy(&value, &kPoisonWord, sizeof value);
  return value;
}

TEST(CompareTest, ToleranceIsAbsolutePlusRelativeToTheBaseline) {
  EXPECT_TRUE(CompareFloats({100.1f}, {100}, {.rtol = 1e-3, .atol = 0.01}).agrees);
  EXPECT_FALSE(CompareFloats({100.2f}, {100}, {.rtol = 1e-3, .atol = 0.01}).agrees);
  EXPECT_FALSE(CompareFloats({1}, {0}, {.rtol = 0.5}).agrees);
}

TEST(CompareTest, NamesTheFirstMismatchAndBothValues) {
  const Comparison comparison = CompareFloats({1, 2, 5, 5}, {1, 2, 3, 4});
  EXPECT_EQ(comparison.index, 2);
  EXPECT_EQ(comparison.mismatches, 2);
  EXPECT_EQ(comparison.max_abs_error, 2);
  EXPECT_THAT(comparison.Describe(4, {}), HasSubstr("element 2 is 5, the baseline has 3 (2 of 4"));
}

TEST(CompareTest, NanAgreesWithNanOnlyAndInfinityWithItself) {
  EXPECT_TRUE(CompareFloats({NAN}, {-NAN}).agrees);
  EXPECT_FALSE(CompareFloats({NAN}, {1}, {.rtol = 1e9}).agrees);
  EXPECT_FALSE(CompareFloats({1}, {NAN}, {.rtol = 1e9}).agrees);
  EXPECT_TRUE(CompareFloats({INFINITY}, {INFINITY}).agrees);
  EXPECT_FALSE(CompareFloats({INFINITY}, {-INFINITY}, {.rtol = 1}).agrees);
  EXPECT_FALSE(CompareFloats({1}, {INFINITY}, {.rtol = 1}).agrees);
}

TEST(CompareTest, UnwrittenPoisonMustMatch) {
  EXPECT_TRUE(CompareFloats({PoisonFloat()}, {PoisonFloat()}).agrees);
  EXPECT_FALSE(CompareFloats({PoisonFloat()}, {NAN}).agrees);
  EXPECT_FALSE(CompareFloats({NAN}, {PoisonFloat()}).agrees);
}

TEST(CompareTest, IntegersCompareByValue) {
  const std::vector<int32_t> a = {1, 2, 3}, b = {1, 2, 4};
  EXPECT_FALSE(CompareOutputs(a.data(), b.data(), TILTH_I32, 3, {}).agrees);
  EXPECT_TRUE(CompareOutputs(a.data(), b.data(), TILTH_I32, 2, {}).agrees);
}

// A kernel with every kind of buffer, in this process: out = in + packed, where packed = 2 * constant.
void PreparePhase(void* const* buffers, int64_t, void*) {
  static_cast<float*>(buffers[3])[0] = 2 * static_cast<const float*>(buffers[1])[0];
}
void RunPhase(void* const* buffers, int64_t task, void* scratch) {
  static_cast<float*>(scratch)[0] = static_cast<const float*>(buffers[0])[task];
  static_cast<float*>(buffers[2])[task] = static_cast<float*>(scratch)[0] + static_cast<float*>(buffers[3])[0];
}

TEST(KernelInstanceTest, FillsByPositionPreparesAndRunsEveryTask) {
  const TilthBuffer buffers[] = {{TILTH_BUFFER_INPUT, TILTH_F32, 4, 16},
                                 {TILTH_BUFFER_CONSTANT, TILTH_F32, 1, 4},
                                 {TILTH_BUFFER_OUTPUT, TILTH_F32, 4, 16},
                                 {TILTH_BUFFER_PACKED, TILTH_F32, 1, 64},
                                 {TILTH_BUFFER_WORKSPACE, TILTH_F32, 0, 0}};
  const TilthPhase phases[] = {{TILTH_PHASE_PREPARE, 0, 1, 0, PreparePhase}, {TILTH_PHASE_RUN, 0, 4, 4, RunPhase}};
  const TilthKernel kernel = {TILTH_KERNEL_MAGIC, TILTH_KERNEL_ABI_VERSION, 5, 2, 0, buffers, phases};
  KernelInstance instance(kernel);
  ASSERT_TRUE(instance.Allocate());
  instance.Fill(99, {});
  instance.Run(TILTH_PHASE_PREPARE);
  instance.Run(TILTH_PHASE_RUN);
  const float* out = static_cast<const float*>(instance.data(2));
  for (uint64_t i = 0; i < 4; ++i) {
    EXPECT_EQ(out[i], CounterUniform(CombineHash(99, 0), i) + 2 * CounterUniform(CombineHash(99, 1), 0));
  }
  EXPECT_EQ(instance.FindOverrun(), -1);
  EXPECT_EQ(BufferTable({buffers, buffers + 5}).Signature(),
            "input type 0 x 4, constant type 0 x 1, output type 0 x 4");
}

TEST(OpenKernelTest, NamesAFileThatIsNotThere) {
  std::string error;
  EXPECT_EQ(OpenKernel("/no/such/artifact.so", &error), nullptr);
  EXPECT_THAT(error, HasSubstr("/no/such/artifact.so"));
}

}  // namespace
}  // namespace tilth::runner
