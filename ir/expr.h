// Scalar expressions over iteration indices and tensor elements: the values of tensor expressions and of loop programs.
//
// An Expr is an immutable tree, shared freely between owners. Two number domains share one node type: integer
// expressions (dtype kI64: indices, conditions on them, integer tensors) and float expressions (kF32). Conditions have
// dtype kBool. Arithmetic on two operands needs operands of one domain; mixing is a bug of the caller (TILTH_CHECK).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "ir/dtype.h"

namespace tilth {

enum class ExprOp : uint8_t {
  kConst,  // `number` (float domain) or `integer` (integer and bool domain)
  kIndex,  // iteration variable `id`
  kLoad,   // element of tensor (or buffer) `id` at `args` (one integer expression per dimension)
  kAdd,
  kSub,
  kMul,
  kDiv,  // kDiv: float domain only
  kFloorDiv,
  kMod,  // integer domain only; round towards minus infinity, mod has the divisor's sign
  kMin,
  kMax,
  kNeg,
  kAbs,
  kExp,
  kLog,
  kSqrt,
  kTanh,
  kErf,
  kSigmoid,
  kFloor,
  kCeil,
  kRound,  // kRound: half to even
  kPow,
  kLess,
  kLessEqual,
  kEqual,
  kAnd,
  kOr,
  kNot,
  kSelect,  // args: condition, if true, if false. Only the chosen side is evaluated: it may guard a load's bounds
  kCast,    // to `dtype`; float to integer truncates towards zero, to bool is "!= 0"
};

class ExprNode;
using Expr = std::shared_ptr<const ExprNode>;

class ExprNode {
 public:
  ExprOp op;
  DType dtype;
  int id = -1;          // kIndex, kLoad
  int64_t integer = 0;  // kConst
  double number = 0;    // kConst
  std::vector<Expr> args;
};

namespace expr {

Expr Float(double value);
Expr Int(int64_t value);
Expr Bool(bool value);
Expr Index(int id);
Expr Load(int tensor, DType dtype, std::vector<Expr> indices);

// These fold constants and drop identities (x + 0, x * 1, x floordiv 1, select on a constant …), nothing deeper.
Expr Unary(ExprOp op, Expr a);
Expr Binary(ExprOp op, Expr a, Expr b);
Expr Select(Expr condition, Expr if_true, Expr if_false);
Expr Cast(DType dtype, Expr a);

inline Expr Add(Expr a, Expr b) { return Binary(ExprOp::kAdd, std::move(a), std::move(b)); }
inline Expr Sub(Expr a, Expr b) { return Binary(ExprOp::kSub, std::move(a), std::move(b)); }
inline Expr Mul(Expr a, Expr b) { return Binary(ExprOp::kMul, std::move(a), std::move(b)); }
inline Expr FloorDiv(Expr a, int64_t b) { return Binary(ExprOp::kFloorDiv, std::move(a), Int(b)); }
inline Expr Mod(Expr a, int64_t b) { return Binary(ExprOp::kMod, std::move(a), Int(b)); }
inline Expr Min(Expr a, Expr b) { return Binary(ExprOp::kMin, std::move(a), std::move(b)); }
inline Expr Max(Expr a, Expr b) { return Binary(ExprOp::kMax, std::move(a), std::move(b)); }
inline Expr And(Expr a, Expr b) { return Binary(ExprOp::kAnd, std::move(a), std::move(b)); }
inline Expr LessThan(Expr a, Expr b) { return Binary(ExprOp::kLess, std::move(a), std::move(b)); }
inline Expr LessEqual(Expr a, Expr b) { return Binary(ExprOp::kLessEqual, std::move(a), std::move(b)); }

bool IsConst(const Expr& e);
bool IsIntConst(const Expr& e, int64_t value);
bool Equal(const Expr& a, const Expr& b);  // structural

// Rebuilds `e` bottom-up: `replace` is called on every node after its args; a null return keeps the node.
using Rewriter = std::function<Expr(const Expr&)>;
Expr Rewrite(const Expr& e, const Rewriter& replace);

// Replaces iteration variables: index `i` becomes replacements[i] (null: unchanged).
Expr SubstituteIndices(const Expr& e, const std::vector<Expr>& replacements);

// Calls `visit` on every node, parents first.
void Visit(const Expr& e, const std::function<void(const ExprNode&)>& visit);

}  // namespace expr

// sum of coefficient[i] * index i + constant.
struct Affine {
  std::vector<int64_t> coefficients;  // one per iteration variable of the space it was asked for
  int64_t constant = 0;
  bool operator==(const Affine&) const = default;
};

// `e` as an affine form over indices 0 … num_indices-1, or nothing if it is not one.
std::optional<Affine> AsAffine(const Expr& e, int num_indices);
Expr FromAffine(const Affine& affine);

}  // namespace tilth
