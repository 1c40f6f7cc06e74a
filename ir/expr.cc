#include "ir/expr.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/status.h"

namespace tilth {
namespace {

// Integers wrap like the machine's, without undefined behaviour on hostile constants.
int64_t WrapAdd(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}
int64_t WrapSub(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
}
int64_t WrapMul(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
}

enum class Domain { kFloat, kInteger, kBoolean };

Domain DomainOf(DType dtype) {
  if (IsFloat(dtype)) return Domain::kFloat;
  return dtype == DType::kBool ? Domain::kBoolean : Domain::kInteger;
}

DType DTypeOf(Domain domain) {
  return domain == Domain::kFloat ? DType::kF32 : domain == Domain::kInteger ? DType::kI64 : DType::kBool;
}

Expr MakeNode(ExprOp op, DType dtype, std::vector<Expr> args) {
  auto node = std::make_shared<ExprNode>();
  node->op = op;
  node->dtype = dtype;
  node->args = std::move(args);
  return node;
}

bool IsFloatConst(const Expr& e, double value) {
  return e->op == ExprOp::kConst && DomainOf(e->dtype) == Domain::kFloat && e->number == value;
}

bool IsCompare(ExprOp op) { return op == ExprOp::kLess || op == ExprOp::kLessEqual || op == ExprOp::kEqual; }
bool IsLogic(ExprOp op) { return op == ExprOp::kAnd || op == ExprOp::kOr; }

Expr FoldFloat(ExprOp op, double a, double b) {
  switch (op) {
    case ExprOp::kAdd:
      return expr::Float(a + b);
    case ExprOp::kSub:
      return expr::Float(a - b);
    case ExprOp::kMul:
      return expr::Float(a * b);
    case ExprOp::kDiv:
      return expr::Float(a / b);
    case ExprOp::kMin:
      return expr::Float(std::fmin(a, b));
    case ExprOp::kMax:
      return expr::Float(std::fmax(a, b));
    case ExprOp::kPow:
      return expr::Float(std::pow(a, b));
    case ExprOp::kLess:
      return expr::Bool(a < b);
    case ExprOp::kLessEqual:
      return expr::Bool(a <= b);
    case ExprOp::kEqual:
      return expr::Bool(a == b);
    default:
      return nullptr;
  }
}

int64_t FloorDivide(int64_t a, int64_t b) {
  const int64_t quotient = a / b;
  return quotient * b != a && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

Expr FoldInteger(ExprOp op, int64_t a, int64_t b) {
  const bool divides = b != 0 && !(a == std::numeric_limits<int64_t>::min() && b == -1);
  switch (op) {
    case ExprOp::kAdd:
      return expr::Int(WrapAdd(a, b));
    case ExprOp::kSub:
      return expr::Int(WrapSub(a, b));
    case ExprOp::kMul:
      return expr::Int(WrapMul(a, b));
    case ExprOp::kFloorDiv:
      return divides ? expr::Int(FloorDivide(a, b)) : nullptr;
    case ExprOp::kMod:
      return divides ? expr::Int(a - FloorDivide(a, b) * b) : nullptr;
    case ExprOp::kMin:
      return expr::Int(std::min(a, b));
    case ExprOp::kMax:
      return expr::Int(std::max(a, b));
    case ExprOp::kLess:
      return expr::Bool(a < b);
    case ExprOp::kLessEqual:
      return expr::Bool(a <= b);
    case ExprOp::kEqual:
      return expr::Bool(a == b);
    case ExprOp::kAnd:
      return expr::Bool(a != 0 && b != 0);
    case ExprOp::kOr:
      return expr::Bool(a != 0 || b != 0);
    default:
      return nullptr;
  }
}

// x + 0, x * 1 and their like; null when no identity applies. Float x * 0 stays: x may be infinite.
Expr FoldIdentity(ExprOp op, const Expr& a, const Expr& b) {
  using expr::IsIntConst;
  switch (op) {
    case ExprOp::kAdd:
      if (IsIntConst(b, 0) || IsFloatConst(b, 0)) return a;
      if (IsIntConst(a, 0) || IsFloatConst(a, 0)) return b;
      break;
    case ExprOp::kSub:
      if (IsIntConst(b, 0) || IsFloatConst(b, 0)) return a;
      break;
    case ExprOp::kMul:
      if (IsIntConst(b, 1) || IsFloatConst(b, 1)) return a;
      if (IsIntConst(a, 1) || IsFloatConst(a, 1)) return b;
      if (IsIntConst(a, 0) || IsIntConst(b, 0)) return expr::Int(0);
      break;
    case ExprOp::kDiv:
      if (IsFloatConst(b, 1)) return a;
      break;
    case ExprOp::kFloorDiv:
      if (IsIntConst(b, 1)) return a;
      break;
    case ExprOp::kMod:
      if (IsIntConst(b, 1)) return expr::Int(0);
      break;
    case ExprOp::kAnd:
      if (expr::IsConst(a)) return a->integer != 0 ? b : a;
      if (expr::IsConst(b)) return b->integer != 0 ? a : b;
      break;
    case ExprOp::kOr:
      if (expr::IsConst(a)) return a->integer != 0 ? a : b;
      if (expr::IsConst(b)) return b->integer != 0 ? b : a;
      break;
    default:
      break;
  }
  return nullptr;
}

Expr FoldUnary(ExprOp op, const Expr& a) {
  if (a->op != ExprOp::kConst) return nullptr;
  if (op == ExprOp::kNot) return expr::Bool(a->integer == 0);
  if (DomainOf(a->dtype) == Domain::kInteger) {
    if (op == ExprOp::kNeg) return expr::Int(WrapSub(0, a->integer));
    if (op == ExprOp::kAbs) return expr::Int(a->integer < 0 ? WrapSub(0, a->integer) : a->integer);
    return nullptr;
  }
  const double x = a->number;
  switch (op) {
    case ExprOp::kNeg:
      return expr::Float(-x);
    case ExprOp::kAbs:
      return expr::Float(std::fabs(x));
    case ExprOp::kExp:
      return expr::Float(std::exp(x));
    case ExprOp::kLog:
      return expr::Float(std::log(x));
    case ExprOp::kSqrt:
      return expr::Float(std::sqrt(x));
    case ExprOp::kTanh:
      return expr::Float(std::tanh(x));
    case ExprOp::kErf:
      return expr::Float(std::erf(x));
    case ExprOp::kSigmoid:
      return expr::Float(1 / (1 + std::exp(-x)));
    case ExprOp::kFloor:
      return expr::Float(std::floor(x));
    case ExprOp::kCeil:
      return expr::Float(std::ceil(x));
    case ExprOp::kRound:
      return expr::Float(std::nearbyint(x));
    default:
      return nullptr;
  }
}

}  // namespace

namespace expr {

Expr Float(double value) {
  auto node = std::make_shared<ExprNode>();
  node->op = ExprOp::kConst;
  node->dtype = DType::kF32;
  node->number = value;
  return node;
}

Expr Int(int64_t value) {
  auto node = std::make_shared<ExprNode>();
  node->op = ExprOp::kConst;
  node->dtype = DType::kI64;
  node->integer = value;
  return node;
}

Expr Bool(bool value) {
  auto node = std::make_shared<ExprNode>();
  node->op = ExprOp::kConst;
  node->dtype = DType::kBool;
  node->integer = value;
  return node;
}

Expr Index(int id) {
  auto node = std::make_shared<ExprNode>();
  node->op = ExprOp::kIndex;
  node->dtype = DType::kI64;
  node->id = id;
  return node;
}

Expr Load(int tensor, DType dtype, std::vector<Expr> indices) {
  for (const Expr& index : indices) TILTH_CHECK(DomainOf(index->dtype) == Domain::kInteger);
  auto node = std::make_shared<ExprNode>();
  node->op = ExprOp::kLoad;
  node->dtype = DTypeOf(DomainOf(dtype));
  node->id = tensor;
  node->args = std::move(indices);
  return node;
}

Expr Unary(ExprOp op, Expr a) {
  const Domain domain = DomainOf(a->dtype);
  if (op == ExprOp::kNot) {
    TILTH_CHECK(domain == Domain::kBoolean);
  } else {
    TILTH_CHECK(op >= ExprOp::kNeg && op <= ExprOp::kRound);
    TILTH_CHECK(domain == Domain::kFloat || (domain == Domain::kInteger && op <= ExprOp::kAbs));
  }
  if (Expr folded = FoldUnary(op, a)) return folded;
  return MakeNode(op, DTypeOf(domain), {std::move(a)});
}

Expr Binary(ExprOp op, Expr a, Expr b) {
  const Domain domain = DomainOf(a->dtype);
  TILTH_CHECK(domain == DomainOf(b->dtype));
  if (IsLogic(op)) {
    TILTH_CHECK(domain == Domain::kBoolean);
  } else if (domain == Domain::kBoolean) {
    TILTH_CHECK(op == ExprOp::kEqual);
  } else if (op == ExprOp::kDiv || op == ExprOp::kPow) {
    TILTH_CHECK(domain == Domain::kFloat);
  } else if (op == ExprOp::kFloorDiv || op == ExprOp::kMod) {
    TILTH_CHECK(domain == Domain::kInteger);
  }
  if (IsConst(a) && IsConst(b)) {
    Expr folded =
        domain == Domain::kFloat ? FoldFloat(op, a->number, b->number) : FoldInteger(op, a->integer, b->integer);
    if (folded) return folded;
  }
  if (Expr simple = FoldIdentity(op, a, b)) return simple;
  return MakeNode(op, IsCompare(op) || IsLogic(op) ? DType::kBool : DTypeOf(domain), {std::move(a), std::move(b)});
}

Expr Select(Expr condition, Expr if_true, Expr if_false) {
  TILTH_CHECK(condition->dtype == DType::kBool);
  TILTH_CHECK(DomainOf(if_true->dtype) == DomainOf(if_false->dtype));
  if (IsConst(condition)) return condition->integer != 0 ? if_true : if_false;
  const DType dtype = DTypeOf(DomainOf(if_true->dtype));
  return MakeNode(ExprOp::kSelect, dtype, {std::move(condition), std::move(if_true), std::move(if_false)});
}

Expr Cast(DType dtype, Expr a) {
  if (a->dtype == dtype) return a;
  if (IsConst(a)) {
    const Domain from = DomainOf(a->dtype);
    if (dtype == DType::kF32) return Float(static_cast<double>(a->integer));
    if (dtype == DType::kBool) return Bool(from == Domain::kFloat ? a->number != 0 : a->integer != 0);
    if (dtype == DType::kI64 && from != Domain::kFloat) return Int(a->integer);
  }
  return MakeNode(ExprOp::kCast, dtype, {std::move(a)});
}

bool IsConst(const Expr& e) { return e->op == ExprOp::kConst; }

bool IsIntConst(const Expr& e, int64_t value) {
  return e->op == ExprOp::kConst && DomainOf(e->dtype) == Domain::kInteger && e->integer == value;
}

bool Equal(const Expr& a, const Expr& b) {
  if (a == b) return true;
  if (a->op != b->op || a->dtype != b->dtype || a->id != b->id || a->args.size() != b->args.size()) return false;
  if (a->op == ExprOp::kConst) {
    return a->integer == b->integer && (a->number == b->number || (std::isnan(a->number) && std::isnan(b->number)));
  }
  for (size_t i = 0; i < a->args.size(); ++i) {
    if (!Equal(a->args[i], b->args[i])) return false;
  }
  return true;
}

namespace {

// Folds again after the args of a node changed.
Expr Rebuild(const Expr& e, std::vector<Expr> args) {
  switch (e->op) {
    case ExprOp::kLoad:
      return Load(e->id, e->dtype, std::move(args));
    case ExprOp::kSelect:
      return Select(args[0], args[1], args[2]);
    case ExprOp::kCast:
      return Cast(e->dtype, args[0]);
    default:
      return args.size() == 1 ? Unary(e->op, args[0]) : Binary(e->op, args[0], args[1]);
  }
}

}  // namespace

Expr Rewrite(const Expr& e, const Rewriter& replace) {
  Expr result = e;
  std::vector<Expr> args;
  bool changed = false;
  for (const Expr& arg : e->args) {
    args.push_back(Rewrite(arg, replace));
    changed |= args.back() != arg;
  }
  if (changed) {
    result = Rebuild(e, args);
    // Folding may leave one of the arguments, which has had its replacement.
    if (std::find(args.begin(), args.end(), result) != args.end()) return result;
  }
  Expr replaced = replace(result);
  return replaced ? replaced : result;
}

Expr SubstituteIndices(const Expr& e, const std::vector<Expr>& replacements) {
  return Rewrite(e, [&](const Expr& node) -> Expr {
    if (node->op != ExprOp::kIndex || node->id >= static_cast<int>(replacements.size())) return nullptr;
    return replacements[node->id];
  });
}

void Visit(const Expr& e, const std::function<void(const ExprNode&)>& visit) {
  visit(*e);
  for (const Expr& arg : e->args) Visit(arg, visit);
}

}  // namespace expr

namespace {

bool IsConstant(const Affine& a) {
  for (int64_t c : a.coefficients) {
    if (c != 0) return false;
  }
  return true;
}

Affine Scaled(Affine a, int64_t factor) {
  for (int64_t& c : a.coefficients) c = WrapMul(c, factor);
  a.constant = WrapMul(a.constant, factor);
  return a;
}

Affine Sum(Affine a, const Affine& b) {
  for (size_t i = 0; i < a.coefficients.size(); ++i) a.coefficients[i] = WrapAdd(a.coefficients[i], b.coefficients[i]);
  a.constant = WrapAdd(a.constant, b.constant);
  return a;
}

}  // namespace

std::optional<Affine> AsAffine(const Expr& e, int num_indices) {
  if (DomainOf(e->dtype) != Domain::kInteger) return std::nullopt;
  Affine result{std::vector<int64_t>(num_indices, 0), 0};
  switch (e->op) {
    case ExprOp::kConst:
      result.constant = e->integer;
      return result;
    case ExprOp::kIndex:
      if (e->id < 0 || e->id >= num_indices) return std::nullopt;
      result.coefficients[e->id] = 1;
      return result;
    case ExprOp::kNeg:
      if (auto a = AsAffine(e->args[0], num_indices)) return Scaled(std::move(*a), -1);
      return std::nullopt;
    case ExprOp::kAdd:
    case ExprOp::kSub:
    case ExprOp::kMul: {
      auto a = AsAffine(e->args[0], num_indices);
      auto b = a ? AsAffine(e->args[1], num_indices) : std::nullopt;
      if (!b) return std::nullopt;
      if (e->op == ExprOp::kAdd) return Sum(std::move(*a), *b);
      if (e->op == ExprOp::kSub) return Sum(std::move(*a), Scaled(std::move(*b), -1));
      if (IsConstant(*b)) return Scaled(std::move(*a), b->constant);
      if (IsConstant(*a)) return Scaled(std::move(*b), a->constant);
      return std::nullopt;
    }
    default:
      return std::nullopt;
  }
}

Expr FromAffine(const Affine& affine) {
  Expr sum = expr::Int(0);
  for (size_t i = 0; i < affine.coefficients.size(); ++i) {
    if (affine.coefficients[i] == 0) continue;
    Expr term = expr::Mul(expr::Index(static_cast<int>(i)), expr::Int(affine.coefficients[i]));
    sum = expr::Add(std::move(sum), std::move(term));
  }
  return expr::Add(std::move(sum), expr::Int(affine.constant));
}

}  // namespace tilth
