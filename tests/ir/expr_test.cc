#include "ir/expr.h"

#include <gtest/gtest.h>

namespace tilth {
namespace {

using expr::Add;
using expr::Float;
using expr::Index;
using expr::Int;
using expr::Mul;

TEST(Expr, BuildersFoldConstants) {
  EXPECT_TRUE(expr::IsIntConst(Add(Int(2), Mul(Int(3), Int(4))), 14));
  EXPECT_TRUE(expr::IsIntConst(expr::FloorDiv(Int(-7), 2), -4));
  EXPECT_TRUE(expr::IsIntConst(expr::Mod(Int(-7), 2), 1));
  EXPECT_EQ(expr::Unary(ExprOp::kSqrt, Float(9))->number, 3);
}

TEST(Expr, BuildersDropIdentities) {
  const Expr i = Index(0);
  EXPECT_EQ(Add(i, Int(0)), i);
  EXPECT_EQ(Mul(Int(1), i), i);
  EXPECT_EQ(expr::FloorDiv(i, 1), i);
  EXPECT_TRUE(expr::IsIntConst(expr::Mod(i, 1), 0));
  EXPECT_EQ(expr::Select(expr::Bool(false), Int(1), i), i);
}

TEST(Expr, FloatTimesZeroStaysBecauseInfinityMayBeInIt) {
  const Expr x = expr::Load(0, DType::kF32, {Index(0)});
  EXPECT_EQ(Mul(x, Float(0))->op, ExprOp::kMul);
}

TEST(Expr, DivisionByConstantZeroIsNotFolded) { EXPECT_EQ(expr::FloorDiv(Int(1), 0)->op, ExprOp::kFloorDiv); }

TEST(Expr, AsAffineSeesThroughSumsAndConstantProducts) {
  const Expr e = Add(Mul(Add(Index(0), Int(2)), Int(3)), expr::Sub(Index(2), Index(0)));
  const auto affine = AsAffine(e, 3);
  ASSERT_TRUE(affine);
  EXPECT_EQ(affine->coefficients, (std::vector<int64_t>{2, 0, 1}));
  EXPECT_EQ(affine->constant, 6);
  EXPECT_EQ(AsAffine(FromAffine(*affine), 3), affine);
}

TEST(Expr, AsAffineRefusesProductsOfIndicesAndDivisions) {
  EXPECT_FALSE(AsAffine(Mul(Index(0), Index(1)), 2));
  EXPECT_FALSE(AsAffine(expr::FloorDiv(Index(0), 2), 1));
  EXPECT_FALSE(AsAffine(Index(3), 2));
}

TEST(Expr, SubstitutionFoldsAgain) {
  const Expr e = expr::Select(expr::LessThan(Index(0), Int(4)), Float(1), expr::Load(0, DType::kF32, {Index(1)}));
  EXPECT_TRUE(expr::Equal(expr::SubstituteIndices(e, {Int(2)}), Float(1)));
  EXPECT_TRUE(expr::Equal(expr::SubstituteIndices(e, {Int(9), Int(5)}), expr::Load(0, DType::kF32, {Int(5)})));
}

TEST(Expr, SubstitutionReplacesEachIndexOnceEvenWhereItFolds) {
  const Expr e = Add(Mul(Index(0), Int(4)), Index(2));
  EXPECT_TRUE(expr::Equal(expr::SubstituteIndices(e, {Int(0), Index(0), Index(1)}), Index(1)));
}

TEST(Expr, EqualComparesStructure) {
  EXPECT_TRUE(expr::Equal(Add(Index(0), Index(1)), Add(Index(0), Index(1))));
  EXPECT_FALSE(expr::Equal(Add(Index(0), Index(1)), Add(Index(1), Index(0))));
  EXPECT_FALSE(expr::Equal(Int(1), Float(1)));
}

}  // namespace
}  // namespace tilth
