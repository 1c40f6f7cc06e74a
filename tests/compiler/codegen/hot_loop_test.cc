// The static analysis of loops, against loops whose properties are known.
#include "compiler/codegen/hot_loop.h"

#include <gtest/gtest.h>

#include "absl/strings/str_format.h"
#include "compiler/lower/lower.h"
#include "search_space/space.h"

namespace tilth {
namespace {

// A loop of `fmas` multiply-adds in `chains` chains of dependencies.
std::string ArmLoop(int fmas, int chains, const std::string& extra = "") {
  std::string text = "kernel:\n  mov x1, #100\n.Lloop:\n";
  for (int i = 0; i < fmas; ++i) absl::StrAppendFormat(&text, "  fmla v%d.4s, v30.4s, v31.s[1]\n", i % chains);
  return text + extra + "  subs x1, x1, #1\n  b.ne .Lloop\n  ret\n";
}

TEST(HotLoop, IndependentMultiplyAddsRunAtThePeak) {
  const StatusOr<HotLoop> loop = FindHotLoop(ArmLoop(24, 24), *ParseTarget("rpi4"));
  ASSERT_TRUE(loop.ok()) << loop.status();
  EXPECT_EQ(loop->fma_instructions, 24);
  EXPECT_EQ(loop->fma_lanes, 4);
  EXPECT_EQ(loop->assembly.size(), 26u);
  EXPECT_EQ(loop->stack_loads + loop->stack_stores, 0);
  EXPECT_GT(loop->FmaFraction(), 0.95);
}

TEST(HotLoop, OneChainWaitsForItsLatency) {
  const StatusOr<HotLoop> loop = FindHotLoop(ArmLoop(8, 1), *ParseTarget("rpi4"));
  ASSERT_TRUE(loop.ok()) << loop.status();
  EXPECT_LT(loop->FmaFraction(), 0.4);
}

TEST(HotLoop, CountsAccessesToTheStack) {
  const StatusOr<HotLoop> loop =
      FindHotLoop(ArmLoop(8, 8, "  ldr q9, [sp, #16]\n  str q9, [sp, #32]\n  str q9, [x3]\n"), *ParseTarget("rpi5"));
  ASSERT_TRUE(loop.ok()) << loop.status();
  EXPECT_EQ(loop->stack_loads, 1);
  EXPECT_EQ(loop->stack_stores, 1);
}

TEST(HotLoop, PrefersTheInnermostLoopWithTheMostWork) {
  const std::string text =
      "kernel:\n.Louter:\n  vfmadd231ps %zmm1, %zmm2, %zmm3\n.Lcopy:\n  movq (%rdi), %rax\n  decq %rsi\n  jne .Lcopy\n"
      ".Linner:\n  vfmadd231ps (%rsp), %zmm2, %zmm4\n  vfmadd231ps %zmm1, %zmm2, %zmm5\n  decq %rcx\n  jne .Linner\n"
      "  decq %rdx\n  jne .Louter\n  retq\n";
  const StatusOr<HotLoop> loop = FindHotLoop(text, *ParseTarget("x86-64-v4"));
  ASSERT_TRUE(loop.ok()) << loop.status();
  EXPECT_EQ(loop->fma_instructions, 2);
  EXPECT_EQ(loop->fma_lanes, 16);
  EXPECT_EQ(loop->stack_loads, 1);
  EXPECT_EQ(loop->assembly.back().substr(0, 3), "jne");
}

TEST(HotLoop, PrefersTheDeepestLoopToOneForTheBorder) {
  std::string text = "kernel:\n.Lborder:\n";
  for (int i = 0; i < 9; ++i) absl::StrAppendFormat(&text, "  vfmadd231ps %%zmm30, %%zmm31, %%zmm%d\n", i);
  text +=
      "  decq %rcx\n  jne .Lborder\n.Lrows:\n  movq %rsi, %rcx\n.Lcolumns:\n  vfmadd231ps %zmm1, %zmm2, %zmm3\n  decq %rcx\n"
      "  jne .Lcolumns\n  decq %rdx\n  jne .Lrows\n  retq\n";
  const StatusOr<HotLoop> loop = FindHotLoop(text, *ParseTarget("x86-64-v4"));
  ASSERT_TRUE(loop.ok()) << loop.status();
  EXPECT_EQ(loop->fma_instructions, 1);
}

TEST(HotLoop, KernelWithoutLoopsIsAnError) {
  EXPECT_EQ(FindHotLoop("kernel:\n  ret\n", *ParseTarget("rpi4")).status().code(), absl::StatusCode::kNotFound);
}

TEST(HotLoop, TextThatIsNoAssemblyIsAnError) {
  EXPECT_EQ(FindHotLoop("  frobnicate x1\n", *ParseTarget("rpi4")).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(HotLoop, DefaultMatrixProductsKeepTheirTilesInRegisters) {
  StatusOr<Workload> workload = ParseWorkload(
      "tilth workload 1\nt0 input f32[128,256]\nt1 constant f32[256,128]\nt2 output f32[128,128]\n"
      "t2[i0, i1] for i0:128 i1:128 = sum[r0:256] (t0[i0, r0] * t1[r0, i1])\n");
  // With 16 registers a tile is too small for as many loads to hide behind it.
  const std::pair<const char*, double> least[] = {
      {"x86-64-v3", 0.75}, {"x86-64-v4", 0.85}, {"rpi4", 0.85}, {"rpi5", 0.85}};
  for (const auto& [name, fraction] : least) {
    const Target target = *ParseTarget(name);
    auto space = SearchSpace::Create(*workload, target);
    const StatusOr<LoopProgram> program = Lower(*workload, (*space)->Resolve((*space)->Default()));
    const StatusOr<HotLoop> loop = FindHotLoop(*program, target);
    ASSERT_TRUE(loop.ok()) << loop.status();
    EXPECT_EQ(loop->stack_loads + loop->stack_stores, 0) << name;
    EXPECT_EQ(loop->fma_lanes * 4, target.vector_bytes) << name;
    EXPECT_GT(loop->FmaFraction(), fraction) << name;
  }
}

}  // namespace
}  // namespace tilth
