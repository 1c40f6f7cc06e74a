#include "compiler/package/constant_packer.h"

#include <gtest/gtest.h>

#include "tests/compiler/package/small_model.h"

namespace tilth {
namespace {

// packed[i] = factor * weights[i].
LoopProgram PackingProgram(double factor, int64_t size) {
  LoopProgram program;
  const int weights = program.NewBuffer({"w", BufferScope::kArgument, ArgumentKind::kConstant, DType::kF32, size});
  const int packed = program.NewBuffer({"p", BufferScope::kPacked, ArgumentKind::kInput, DType::kF32, size, 3});
  const int task = program.NewVariable("task");
  const Expr i = expr::Index(task);
  const Expr value = expr::Mul(expr::Load(weights, DType::kF32, {i}), expr::Float(factor));
  program.phases.push_back({"pack", true, task, size, {Store(packed, i, value)}});
  return program;
}

std::vector<float> Pack(const ConstantPacker& packer, const std::vector<float>& weights) {
  const std::string bytes = packer.Pack({weights.data(), nullptr})[1];
  return Floats({DType::kF32, {}, {bytes.begin(), bytes.end()}});
}

TEST(ConstantPacker, PackersThatLiveTogetherDoNotMixTheirCode) {
  const auto twice = ConstantPacker::Create(PackingProgram(2, 3));
  ASSERT_TRUE(twice.ok()) << twice.status();
  const auto thrice = ConstantPacker::Create(PackingProgram(3, 1));
  ASSERT_TRUE(thrice.ok()) << thrice.status();
  EXPECT_EQ(Pack(**thrice, {5}), (std::vector<float>{15, 0, 0, 0})) << "slack is zero";
  EXPECT_EQ(Pack(**twice, {1, 2, 3}), (std::vector<float>{2, 4, 6, 0, 0, 0}));
}

}  // namespace
}  // namespace tilth
