#include "compiler/codegen/codegen.h"

#include <gtest/gtest.h>

#include <thread>

#include "compiler/build_kernel.h"
#include "compiler/codegen/link_single.h"
#include "compiler/lower/lower.h"
#include "search_space/space.h"

namespace tilth {
namespace {

constexpr char kMatmul[] = R"(tilth workload 1
t0 input f32[64,96]
t1 constant f32[96,80]
t2 output f32[64,80]
t2[i0, i1] for i0:64 i1:80 = sum[r0:96] (t0[i0, r0] * t1[r0, i1])
)";

StatusOr<LoopProgram> DefaultProgram(const Target& target) {
  TILTH_ASSIGN_OR_RETURN(Workload workload, ParseWorkload(kMatmul));
  TILTH_ASSIGN_OR_RETURN(auto space, SearchSpace::Create(workload, target));
  return Lower(workload, space->Resolve(space->Default()));
}

TEST(Codegen, SameProgramGivesTheSameBytes) {
  const Target target = *ParseTarget("x86-64-v4");
  const LoopProgram program = *DefaultProgram(target);
  const StatusOr<std::string> a = GenerateObject(program, target), b = GenerateObject(program, target);
  ASSERT_TRUE(a.ok()) << a.status();
  EXPECT_EQ(*a, *b);
  EXPECT_EQ(*LinkSharedObject({*a}, target), *LinkSharedObject({*b}, target));
}

// The passes are kept by each thread; nothing of an earlier program may show.
TEST(Codegen, AnotherThreadAndAnotherProgramBeforeChangeNothing) {
  const Target target = *ParseTarget("x86-64-v4"), other = *ParseTarget("rpi4");
  const LoopProgram program = *DefaultProgram(target);
  ASSERT_TRUE(GenerateObject(*DefaultProgram(other), other).ok());
  ASSERT_TRUE(GenerateAssembly(program, target).ok());
  const StatusOr<std::string> here = GenerateObject(program, target);
  StatusOr<std::string> there = absl::UnknownError("not run");
  std::thread([&] { there = GenerateObject(program, target); }).join();
  ASSERT_TRUE(here.ok() && there.ok());
  EXPECT_EQ(*here, *there);
}

TEST(Codegen, UsesWholeRegistersOfEachTarget) {
  const std::pair<const char*, const char*> expectations[] = {
      {"x86-64-v4", "%zmm"}, {"x86-64-v3", "%ymm"}, {"rpi4", "fmla"}, {"rpi5", "fmla"}};
  for (const auto& [name, instruction] : expectations) {
    const Target target = *ParseTarget(name);
    const StatusOr<std::string> assembly = GenerateAssembly(*DefaultProgram(target), target);
    ASSERT_TRUE(assembly.ok()) << assembly.status();
    EXPECT_NE(assembly->find(instruction), std::string::npos) << name;
  }
}

TEST(Codegen, LinksForAnotherArchitectureWithoutItsToolchain) {
  const Target target = *ParseTarget("rpi4");
  const StatusOr<std::string> object = GenerateObject(*DefaultProgram(target), target);
  ASSERT_TRUE(object.ok()) << object.status();
  const StatusOr<std::string> library = LinkSharedObject({*object}, target, {}, {"libc.so.6"});
  ASSERT_TRUE(library.ok()) << library.status();
  ASSERT_GT(library->size(), 64u);
  EXPECT_EQ(library->substr(0, 4),
            "\x7f"
            "ELF");
  EXPECT_EQ(static_cast<unsigned char>((*library)[18]), 183) << "e_machine is not AArch64";
  EXPECT_NE(library->find("libc.so.6"), std::string::npos);
}

TEST(Codegen, LinksSingleObjectsItself) {
  for (const char* name : {"x86-64-v3", "x86-64-v4", "rpi4"}) {
    const Target target = *ParseTarget(name);
    const std::string object = *GenerateObject(*DefaultProgram(target), target);
    const std::optional<std::string> library = LinkSingleObject(object, target);
    ASSERT_TRUE(library.has_value()) << name;
    EXPECT_EQ(*LinkSharedObject({object}, target), *library);
    // A damaged object is left to the linker, which says what is wrong with it.
    for (size_t size = 0; size < object.size(); size += 97)
      LinkSingleObject(std::string_view(object).substr(0, size), target);
    EXPECT_FALSE(LinkSingleObject("this is no object file", target).has_value());
  }
  const Target x86 = *ParseTarget("x86-64-v3"), arm = *ParseTarget("rpi4");
  EXPECT_FALSE(LinkSingleObject(*GenerateObject(*DefaultProgram(x86), x86), arm).has_value());
}

TEST(Codegen, GarbageObjectIsALinkErrorThatSaysSo) {
  const Target target = *ParseTarget("x86-64-v3");
  const StatusOr<std::string> library = LinkSharedObject({"this is no object file"}, target);
  ASSERT_FALSE(library.ok());
  EXPECT_NE(std::string(library.status().message()).find("linking"), std::string::npos) << library.status();
}

TEST(Codegen, GpuLoopOnACpuIsAnErrorNotACrash) {
  LoopProgram program;
  LoopBuffer out;
  out.name = "y";
  out.argument = ArgumentKind::kOutput;
  out.num_elements = 4;
  const int buffer = program.NewBuffer(out);
  const int i = program.NewVariable("i");
  LoopPhase phase;
  phase.body.push_back(For(i, LoopKind::kGpuThread, expr::Int(4), {Store(buffer, expr::Index(i), expr::Float(1))}));
  program.phases.push_back(std::move(phase));
  const StatusOr<std::string> object = GenerateObject(program, *ParseTarget("x86-64-v3"));
  EXPECT_EQ(object.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(Codegen, HalfPrecisionIsRefusedByName) {
  LoopProgram program;
  LoopBuffer out;
  out.name = "halves";
  out.dtype = DType::kF16;
  out.num_elements = 4;
  program.NewBuffer(out);
  const StatusOr<std::string> object = GenerateObject(program, *ParseTarget("x86-64-v3"));
  ASSERT_FALSE(object.ok());
  EXPECT_NE(std::string(object.status().message()).find("halves"), std::string::npos);
}

TEST(BuildKernel, FailureNamesItsStep) {
  auto space = SearchSpace::Create(*ParseWorkload(kMatmul), *ParseTarget("x86-64-v3"));
  Candidate foreign = (*space)->Default();
  foreign.sketch = 99;
  BuildReport report;
  EXPECT_FALSE(BuildArtifact(**space, foreign, &report).ok());
  EXPECT_EQ(report.step, BuildStep::kInstantiate);
}

}  // namespace
}  // namespace tilth
