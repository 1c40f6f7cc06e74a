#include "compiler/codegen/vector_math.h"

#include <llvm/IR/Constants.h>
#include <llvm/IR/Intrinsics.h>

#include <initializer_list>
#include <limits>

namespace tilth {
namespace {

using llvm::Value;

Value* Constant(llvm::IRBuilder<>&, Value* like, double value) { return llvm::ConstantFP::get(like->getType(), value); }

llvm::Type* IntegerTypeLike(llvm::IRBuilder<>& b, Value* x) {
  if (auto* vector = llvm::dyn_cast<llvm::FixedVectorType>(x->getType()))
    return llvm::FixedVectorType::get(b.getInt32Ty(), vector->getNumElements());
  return b.getInt32Ty();
}

Value* MultiplyAdd(llvm::IRBuilder<>& b, Value* x, Value* y, Value* z) {
  return b.CreateIntrinsic(llvm::Intrinsic::fmuladd, {x->getType()}, {x, y, z});
}

// Horner's rule, highest coefficient first.
Value* Polynomial(llvm::IRBuilder<>& b, Value* x, std::initializer_list<double> coefficients) {
  Value* sum = nullptr;
  for (double c : coefficients) sum = sum ? MultiplyAdd(b, sum, x, Constant(b, x, c)) : Constant(b, x, c);
  return sum;
}

Value* Abs(llvm::IRBuilder<>& b, Value* x) { return b.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, x); }

Value* CopySign(llvm::IRBuilder<>& b, Value* magnitude, Value* sign) {
  return b.CreateBinaryIntrinsic(llvm::Intrinsic::copysign, magnitude, sign);
}

Value* AtMost(llvm::IRBuilder<>& b, Value* x, double most) {
  Value* limit = Constant(b, x, most);
  return b.CreateSelect(b.CreateFCmpOGT(x, limit), limit, x);
}

Value* AtLeast(llvm::IRBuilder<>& b, Value* x, double least) {
  Value* limit = Constant(b, x, least);
  return b.CreateSelect(b.CreateFCmpOLT(x, limit), limit, x);
}

// exp(x) for x in [kLeastExponent, kMostExponent]; not a number for an x that is not.
constexpr double kLeastExponent = -87.33654, kMostExponent = 88.72283;
Value* ExpWithin(llvm::IRBuilder<>& b, Value* x) {
  // x = n ln 2 + r, |r| <= ln(2)/2. exp(r) by a polynomial whose relative error is 3e-9 (weighted least squares, the
  // first two coefficients fixed); times 2^n by adding n to the exponent. The bits of 1.5 * 2^23 + n end in those of n.
  Value* round = Constant(b, x, 12582912);
  Value* shifted = MultiplyAdd(b, x, Constant(b, x, 1.4426950408889634), round);
  Value* n = b.CreateFSub(shifted, round);
  Value* r = MultiplyAdd(b, n, Constant(b, x, -0.693359375), x);
  r = MultiplyAdd(b, n, Constant(b, x, 2.12194440e-4), r);
  Value* y =
      Polynomial(b, r, {1.38144638e-03, 8.36878073e-03, 4.16683943e-02, 1.66665201e-01, 4.99999934e-01, 1.0, 1.0});
  llvm::Type* integer = IntegerTypeLike(b, x);
  Value* exponent = b.CreateShl(b.CreateBitCast(shifted, integer), llvm::ConstantInt::get(integer, 23));
  return b.CreateBitCast(b.CreateAdd(b.CreateBitCast(y, integer), exponent), x->getType());
}

}  // namespace

Value* EmitExp(llvm::IRBuilder<>& b, Value* x) {
  // Subnormal results are 0.
  Value* too_small = b.CreateFCmpOLT(x, Constant(b, x, kLeastExponent));
  Value* too_large = b.CreateFCmpUGT(x, Constant(b, x, kMostExponent));
  Value* y = ExpWithin(b, AtLeast(b, AtMost(b, x, kMostExponent), kLeastExponent));
  y = b.CreateSelect(too_small, Constant(b, x, 0.0), y);
  // Infinite, or not a number as x.
  return b.CreateSelect(too_large, b.CreateFMul(x, Constant(b, x, std::numeric_limits<double>::infinity())), y);
}

Value* EmitLog(llvm::IRBuilder<>& b, Value* x) {
  // x = 2^n m with m in [sqrt(1/2), sqrt(2)); log m = 2 atanh(s), s = (m - 1) / (m + 1).
  llvm::Type* integer = IntegerTypeLike(b, x);
  auto int_constant = [&](int64_t v) { return llvm::ConstantInt::get(integer, v, true); };
  Value* subnormal = b.CreateFCmpOLT(x, Constant(b, x, 0x1p-126));
  Value* scaled = b.CreateSelect(subnormal, b.CreateFMul(x, Constant(b, x, 0x1p23)), x);
  Value* bits = b.CreateBitCast(scaled, integer);
  Value* shifted = b.CreateSub(bits, int_constant(0x3f3504f3));  // bits of sqrt(1/2)
  Value* n = b.CreateSIToFP(b.CreateAShr(shifted, int_constant(23)), x->getType());
  Value* m = b.CreateBitCast(b.CreateAdd(b.CreateAnd(shifted, int_constant(0x007fffff)), int_constant(0x3f3504f3)),
                             x->getType());
  n = b.CreateFAdd(n, b.CreateSelect(subnormal, Constant(b, x, -23.0), Constant(b, x, 0.0)));
  Value* one = Constant(b, x, 1.0);
  Value* s = b.CreateFDiv(b.CreateFSub(m, one), b.CreateFAdd(m, one));
  Value* s2 = b.CreateFMul(s, s);
  Value* series = Polynomial(b, s2, {2.0 / 11, 2.0 / 9, 2.0 / 7, 2.0 / 5, 2.0 / 3, 2.0});
  Value* y = MultiplyAdd(b, n, Constant(b, x, 0.6931471805599453), b.CreateFMul(s, series));
  const double inf = std::numeric_limits<double>::infinity();
  y = b.CreateSelect(b.CreateFCmpOEQ(x, Constant(b, x, 0.0)), Constant(b, x, -inf), y);
  y = b.CreateSelect(b.CreateFCmpOEQ(x, Constant(b, x, inf)), x, y);
  return b.CreateSelect(b.CreateFCmpULT(x, Constant(b, x, 0.0)),
                        Constant(b, x, std::numeric_limits<double>::quiet_NaN()), y);
}

Value* EmitTanh(llvm::IRBuilder<>& b, Value* x) {
  // (1 - e) / (1 + e) with e = exp(-2 |x|); near zero, where that cancels, the odd Taylor series.
  Value* magnitude = Abs(b, x);
  Value* e = ExpWithin(b, AtLeast(b, b.CreateFMul(magnitude, Constant(b, x, -2.0)), -80.0));
  Value* one = Constant(b, x, 1.0);
  Value* large = CopySign(b, b.CreateFDiv(b.CreateFSub(one, e), b.CreateFAdd(one, e)), x);
  Value* x2 = b.CreateFMul(x, x);
  Value* small = b.CreateFMul(x, Polynomial(b, x2, {62.0 / 2835, -17.0 / 315, 2.0 / 15, -1.0 / 3, 1.0}));
  return b.CreateSelect(b.CreateFCmpOLT(magnitude, Constant(b, x, 0.25)), small, large);
}

Value* EmitErf(llvm::IRBuilder<>& b, Value* x) {
  // x P(x²) / Q(x²) on [-3.92, 3.92], beyond which erf rounds to ±1: a fit of the relative error (2e-8 in exact
  // arithmetic) by reweighted least squares.
  x = AtLeast(b, AtMost(b, x, 3.92), -3.92);
  Value* x2 = b.CreateFMul(x, x);
  Value* p =
      Polynomial(b, x2, {2.05007895e-06, 2.8486159e-04, 3.76502682e-03, 5.27468575e-02, 1.90393832e-01, 1.12837915});
  Value* q = Polynomial(b, x2, {3.80905282e-05, 1.16237813e-03, 1.4968034e-02, 1.14103715e-01, 5.02064884e-01, 1.0});
  return b.CreateFDiv(b.CreateFMul(x, p), q);
}

Value* EmitSigmoid(llvm::IRBuilder<>& b, Value* x) {
  // Outside of [-80, 80] it is nearly 0, or 1 to the last bit.
  Value* one = Constant(b, x, 1.0);
  return b.CreateFDiv(one, b.CreateFAdd(one, ExpWithin(b, AtLeast(b, AtMost(b, b.CreateFNeg(x), 80.0), -80.0))));
}

Value* EmitPow(llvm::IRBuilder<>& b, Value* x, Value* y) {
  Value* magnitude = EmitExp(b, b.CreateFMul(y, EmitLog(b, Abs(b, x))));
  auto floor = [&](Value* v) { return b.CreateUnaryIntrinsic(llvm::Intrinsic::floor, v); };
  Value* half = b.CreateFMul(y, Constant(b, y, 0.5));
  Value* integral = b.CreateFCmpOEQ(floor(y), y);
  Value* odd = b.CreateAnd(integral, b.CreateFCmpONE(floor(half), half));
  Value* negative = b.CreateFCmpOLT(x, Constant(b, x, 0.0));
  Value* result = b.CreateSelect(b.CreateAnd(negative, odd), b.CreateFNeg(magnitude), magnitude);
  result = b.CreateSelect(b.CreateAnd(negative, b.CreateNot(integral)),
                          Constant(b, x, std::numeric_limits<double>::quiet_NaN()), result);
  return b.CreateSelect(b.CreateFCmpOEQ(y, Constant(b, y, 0.0)), Constant(b, x, 1.0), result);
}

}  // namespace tilth
