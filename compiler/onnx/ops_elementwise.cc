// Operators that compute each element of the result from one element of each input, broadcast as numpy does.
#include <cmath>

#include "compiler/onnx/op_context.h"
#include "compiler/onnx/registry.h"
#include "compiler/onnx/tensor_proto.h"

namespace tilth {
namespace {

using expr::Add;
using expr::Binary;
using expr::Float;
using expr::Max;
using expr::Min;
using expr::Mul;
using expr::Select;
using expr::Sub;
using expr::Unary;

Expr Less(const Expr& a, const Expr& b) { return expr::LessThan(a, b); }

// One float input, whose element is `x`.
template <typename F>
Status FloatUnary(OpContext& op, F value) {
  TILTH_ASSIGN_OR_RETURN(const int x, op.FloatInput(0));
  const Extents shape = op.Shape(x);
  TILTH_ASSIGN_OR_RETURN(const int y, op.AddElementwise(op.TypeOf(x), shape, value(op.LoadBroadcast(x, shape))));
  op.SetOutput(0, y);
  return absl::OkStatus();
}

template <ExprOp kOp>
Status ImportUnary(OpContext& op) {
  return FloatUnary(op, [](const Expr& x) { return Unary(kOp, x); });
}

// Neg and Abs work on integers, too.
template <ExprOp kOp>
Status ImportSigned(OpContext& op) {
  TILTH_ASSIGN_OR_RETURN(const int x, op.Input(0));
  if (op.TypeOf(x) == DType::kBool) return op.Error("booleans have no sign");
  const Extents shape = op.Shape(x);
  TILTH_ASSIGN_OR_RETURN(const int y, op.AddElementwise(op.TypeOf(x), shape, Unary(kOp, op.LoadBroadcast(x, shape))));
  op.SetOutput(0, y);
  return absl::OkStatus();
}

Status ImportRelu(OpContext& op) {
  return FloatUnary(op, [](const Expr& x) { return Max(x, Float(0)); });
}

Status ImportReciprocal(OpContext& op) {
  return FloatUnary(op, [](const Expr& x) { return Binary(ExprOp::kDiv, Float(1), x); });
}

// log(1 + e^x) as max(x, 0) + log(1 + e^-|x|), which does not overflow.
Status ImportSoftplus(OpContext& op) {
  return FloatUnary(op, [](const Expr& x) {
    const Expr small = Unary(ExprOp::kExp, Unary(ExprOp::kNeg, Unary(ExprOp::kAbs, x)));
    return Add(Max(x, Float(0)), Unary(ExprOp::kLog, Add(Float(1), small)));
  });
}

Status ImportLeakyRelu(OpContext& op) {
  const float alpha = op.Float("alpha", 0.01f);
  return FloatUnary(op, [&](const Expr& x) { return Select(Less(x, Float(0)), Mul(x, Float(alpha)), x); });
}

Status ImportElu(OpContext& op) {
  const float alpha = op.Float("alpha", 1);
  return FloatUnary(op, [&](const Expr& x) {
    const Expr below = Mul(Float(alpha), Sub(Unary(ExprOp::kExp, x), Float(1)));
    return Select(Less(x, Float(0)), below, x);
  });
}

Status ImportHardSigmoid(OpContext& op) {
  const float alpha = op.Float("alpha", 0.2f), beta = op.Float("beta", 0.5f);
  return FloatUnary(
      op, [&](const Expr& x) { return Max(Float(0), Min(Float(1), Add(Mul(x, Float(alpha)), Float(beta)))); });
}

Status ImportHardSwish(OpContext& op) {
  return FloatUnary(
      op, [](const Expr& x) { return Mul(x, Max(Float(0), Min(Float(1), Add(Mul(x, Float(1.0 / 6)), Float(0.5))))); });
}

Status ImportPRelu(OpContext& op) {
  TILTH_ASSIGN_OR_RETURN(const int x, op.FloatInput(0));
  TILTH_ASSIGN_OR_RETURN(const int slope, op.FloatInput(1));
  const Extents shape = op.Shape(x);
  TILTH_ASSIGN_OR_RETURN(const Extents broadcast, BroadcastShapes(shape, op.Shape(slope)));
  if (broadcast != shape)
    return op.Error("slope ", ShapeText(op.Shape(slope)), " does not broadcast to ", ShapeText(shape));
  const Expr element = op.LoadBroadcast(x, shape);
  const Expr value = Select(Less(element, Float(0)), Mul(element, op.LoadBroadcast(slope, shape)), element);
  TILTH_ASSIGN_OR_RETURN(const int y, op.AddElementwise(op.TypeOf(x), shape, value));
  op.SetOutput(0, y);
  return absl::OkStatus();
}

Status ImportClipAttributes(OpContext& op) {
  const bool has_min = op.HasAttribute("min"), has_max = op.HasAttribute("max");
  const float low = op.Float("min", 0), high = op.Float("max", 0);
  return FloatUnary(op, [&](const Expr& x) {
    const Expr raised = has_min ? Max(x, Float(low)) : x;
    return has_max ? Min(raised, Float(high)) : raised;
  });
}

Status ImportClip(OpContext& op) {
  TILTH_ASSIGN_OR_RETURN(const int x, op.Input(0));
  const Extents shape = op.Shape(x);
  Expr value = op.LoadBroadcast(x, shape);
  for (int i = 1; i <= 2; ++i) {
    if (!op.HasInput(i)) continue;
    TILTH_ASSIGN_OR_RETURN(const int limit, op.Input(i));
    if (op.TypeOf(limit) != op.TypeOf(x) || op.TypeOf(x) == DType::kBool || NumElements(op.Shape(limit)) != 1) {
      return op.Error("input ", i, " must be a scalar of the type of input 0");
    }
    value = Binary(i == 1 ? ExprOp::kMax : ExprOp::kMin, value, op.LoadBroadcast(limit, shape));
  }
  TILTH_ASSIGN_OR_RETURN(const int y, op.AddElementwise(op.TypeOf(x), shape, value));
  op.SetOutput(0, y);
  return absl::OkStatus();
}

// Integer division of ONNX rounds towards zero.
Expr TruncatingDivide(const Expr& a, const Expr& b) {
  const Expr zero = expr::Int(0);
  const Expr quotient = Binary(ExprOp::kFloorDiv, Unary(ExprOp::kAbs, a), Unary(ExprOp::kAbs, b));
  const Expr same_sign = Binary(ExprOp::kEqual, Less(a, zero), Less(b, zero));
  return Select(same_sign, quotient, Unary(ExprOp::kNeg, quotient));
}

// Inputs of one type, broadcast together and combined from the left.
template <typename F>
Status Variadic(OpContext& op, DType result, F combine, float scale = 1) {
  TILTH_ASSIGN_OR_RETURN(const int first, op.Input(0));
  Extents shape = op.Shape(first);
  for (int i = 1; i < op.num_inputs(); ++i) {
    TILTH_ASSIGN_OR_RETURN(const int input, op.Input(i));
    if (op.TypeOf(input) != op.TypeOf(first)) {
      return op.Error("its inputs have different element types, ", ToString(op.TypeOf(first)), " and ",
                      ToString(op.TypeOf(input)));
    }
    TILTH_ASSIGN_OR_RETURN(shape, BroadcastShapes(shape, op.Shape(input)));
  }
  Expr value = op.LoadBroadcast(first, shape);
  for (int i = 1; i < op.num_inputs(); ++i) {
    TILTH_ASSIGN_OR_RETURN(const int input, op.Input(i));
    value = combine(value, op.LoadBroadcast(input, shape));
  }
  if (scale != 1) value = Mul(value, Float(scale));
  TILTH_ASSIGN_OR_RETURN(const int y, op.AddElementwise(result, shape, value));
  op.SetOutput(0, y);
  return absl::OkStatus();
}

StatusOr<DType> NumericType(const OpContext& op) {
  TILTH_ASSIGN_OR_RETURN(const int x, op.Input(0));
  if (op.TypeOf(x) == DType::kBool) return op.Error("booleans are not supported here");
  return op.TypeOf(x);
}

template <ExprOp kOp>
Status ImportArithmetic(OpContext& op) {
  TILTH_ASSIGN_OR_RETURN(const DType dtype, NumericType(op));
  return Variadic(op, dtype, [](const Expr& a, const Expr& b) { return Binary(kOp, a, b); });
}

Status ImportDiv(OpContext& op) {
  TILTH_ASSIGN_OR_RETURN(const DType dtype, NumericType(op));
  return Variadic(op, dtype, [&](const Expr& a, const Expr& b) {
    if (!IsFloat(dtype)) return TruncatingDivide(a, b);
    // Multiplying by the reciprocal of a constant is as exact only for powers of two; others keep the division.
    int exponent = 0;
    if (expr::IsConst(b) && std::frexp(b->number, &exponent) == 0.5) return Mul(a, Float(1 / b->number));
    return Binary(ExprOp::kDiv, a, b);
  });
}

Status ImportMod(OpContext& op) {
  TILTH_ASSIGN_OR_RETURN(const DType dtype, NumericType(op));
  if (op.Int("fmod", 0) != 0 || IsFloat(dtype)) return op.Error("only the integer modulus (fmod=0) is supported");
  return Variadic(op, dtype, [](const Expr& a, const Expr& b) { return Binary(ExprOp::kMod, a, b); });
}

Status ImportMean(OpContext& op) {
  TILTH_RETURN_IF_ERROR(op.FloatInput(0).status());
  TILTH_ASSIGN_OR_RETURN(const DType dtype, NumericType(op));
  return Variadic(op, dtype, Add, 1.0f / static_cast<float>(std::max(1, op.num_inputs())));
}

Expr Power(const Expr& base, const Expr& exponent) {
  if (expr::IsConst(exponent)) {
    const double e = exponent->number;
    if (e == 1) return base;
    if (e == 2) return Mul(base, base);
    if (e == 3) return Mul(Mul(base, base), base);
    if (e == 0.5) return Unary(ExprOp::kSqrt, base);
    if (e == -1) return Binary(ExprOp::kDiv, Float(1), base);
  }
  return Binary(ExprOp::kPow, base, exponent);
}

Status ImportPow(OpContext& op) {
  TILTH_ASSIGN_OR_RETURN(const int base, op.Input(0));
  TILTH_ASSIGN_OR_RETURN(const int exponent, op.Input(1));
  TILTH_ASSIGN_OR_RETURN(const Extents shape, BroadcastShapes(op.Shape(base), op.Shape(exponent)));
  const DType dtype = op.TypeOf(base);
  if (dtype == DType::kBool || op.TypeOf(exponent) == DType::kBool) return op.Error("booleans are not supported here");
  const auto as_float = [&](int tensor) { return expr::Cast(DType::kF32, op.LoadBroadcast(tensor, shape)); };
  const Expr power = Power(as_float(base), as_float(exponent));
  TILTH_ASSIGN_OR_RETURN(const int y,
                         op.AddElementwise(dtype, shape, IsFloat(dtype) ? power : expr::Cast(DType::kI64, power)));
  op.SetOutput(0, y);
  return absl::OkStatus();
}

enum class Comparison { kLess, kLessEqual, kGreater, kGreaterEqual, kEqual };

template <Comparison kComparison>
Status ImportComparison(OpContext& op) {
  TILTH_ASSIGN_OR_RETURN(const int x, op.Input(0));
  if (op.num_inputs() != 2) return op.Error("it must have 2 inputs");
  if (kComparison != Comparison::kEqual && op.TypeOf(x) == DType::kBool) return op.Error("booleans have no order");
  return Variadic(op, DType::kBool, [](const Expr& a, const Expr& b) {
    switch (kComparison) {
      case Comparison::kLess:
        return Binary(ExprOp::kLess, a, b);
      case Comparison::kLessEqual:
        return Binary(ExprOp::kLessEqual, a, b);
      case Comparison::kGreater:
        return Binary(ExprOp::kLess, b, a);
      case Comparison::kGreaterEqual:
        return Binary(ExprOp::kLessEqual, b, a);
      default:
        return Binary(ExprOp::kEqual, a, b);
    }
  });
}

template <ExprOp kOp>
Status ImportLogic(OpContext& op) {
  TILTH_ASSIGN_OR_RETURN(const int x, op.Input(0));
  if (op.TypeOf(x) != DType::kBool) return op.Error("only booleans are supported here");
  return Variadic(op, DType::kBool, [](const Expr& a, const Expr& b) { return Binary(kOp, a, b); });
}

Status ImportNot(OpContext& op) {
  TILTH_ASSIGN_OR_RETURN(const int x, op.Input(0));
  if (op.TypeOf(x) != DType::kBool) return op.Error("only booleans are supported here");
  const Extents shape = op.Shape(x);
  TILTH_ASSIGN_OR_RETURN(const int y,
                         op.AddElementwise(DType::kBool, shape, Unary(ExprOp::kNot, op.LoadBroadcast(x, shape))));
  op.SetOutput(0, y);
  return absl::OkStatus();
}

Status ImportWhere(OpContext& op) {
  TILTH_ASSIGN_OR_RETURN(const int condition, op.Input(0));
  TILTH_ASSIGN_OR_RETURN(const int a, op.Input(1));
  TILTH_ASSIGN_OR_RETURN(const int b, op.Input(2));
  if (op.TypeOf(condition) != DType::kBool || op.TypeOf(a) != op.TypeOf(b)) {
    return op.Error("its inputs must be a condition and two tensors of one type");
  }
  TILTH_ASSIGN_OR_RETURN(Extents shape, BroadcastShapes(op.Shape(a), op.Shape(b)));
  TILTH_ASSIGN_OR_RETURN(shape, BroadcastShapes(shape, op.Shape(condition)));
  const Expr value = Select(op.LoadBroadcast(condition, shape), op.LoadBroadcast(a, shape), op.LoadBroadcast(b, shape));
  TILTH_ASSIGN_OR_RETURN(const int y, op.AddElementwise(op.TypeOf(a), shape, value));
  op.SetOutput(0, y);
  return absl::OkStatus();
}

Status ImportCast(OpContext& op) {
  TILTH_ASSIGN_OR_RETURN(const int x, op.Input(0));
  TILTH_ASSIGN_OR_RETURN(const DType to, FromOnnxType(static_cast<int32_t>(op.Int("to", 0))));
  if (to == op.TypeOf(x)) {
    op.SetOutput(0, x);
    return absl::OkStatus();
  }
  const Extents shape = op.Shape(x);
  TILTH_ASSIGN_OR_RETURN(const int y, op.AddElementwise(to, shape, expr::Cast(to, op.LoadBroadcast(x, shape))));
  op.SetOutput(0, y);
  return absl::OkStatus();
}

constexpr OperatorEntry kOperators[] = {
    {"Relu", 6, ImportRelu},
    {"LeakyRelu", 6, ImportLeakyRelu},
    {"PRelu", 7, ImportPRelu},
    {"Elu", 6, ImportElu},
    {"Clip", 6, ImportClipAttributes},
    {"Clip", 11, ImportClip},
    {"Sigmoid", 6, ImportUnary<ExprOp::kSigmoid>},
    {"HardSigmoid", 6, ImportHardSigmoid},
    {"HardSwish", 14, ImportHardSwish},
    {"Tanh", 6, ImportUnary<ExprOp::kTanh>},
    {"Erf", 9, ImportUnary<ExprOp::kErf>},
    {"Softplus", 1, ImportSoftplus},
    {"Exp", 6, ImportUnary<ExprOp::kExp>},
    {"Log", 6, ImportUnary<ExprOp::kLog>},
    {"Sqrt", 6, ImportUnary<ExprOp::kSqrt>},
    {"Floor", 6, ImportUnary<ExprOp::kFloor>},
    {"Ceil", 6, ImportUnary<ExprOp::kCeil>},
    {"Round", 11, ImportUnary<ExprOp::kRound>},
    {"Reciprocal", 6, ImportReciprocal},
    {"Neg", 6, ImportSigned<ExprOp::kNeg>},
    {"Abs", 6, ImportSigned<ExprOp::kAbs>},
    {"Add", 7, ImportArithmetic<ExprOp::kAdd>},
    {"Sub", 7, ImportArithmetic<ExprOp::kSub>},
    {"Mul", 7, ImportArithmetic<ExprOp::kMul>},
    {"Div", 7, ImportDiv},
    {"Mod", 10, ImportMod},
    {"Pow", 7, ImportPow},
    {"Min", 6, ImportArithmetic<ExprOp::kMin>},
    {"Max", 6, ImportArithmetic<ExprOp::kMax>},
    {"Sum", 6, ImportArithmetic<ExprOp::kAdd>},
    {"Mean", 6, ImportMean},
    {"Equal", 7, ImportComparison<Comparison::kEqual>},
    {"Less", 7, ImportComparison<Comparison::kLess>},
    {"LessOrEqual", 12, ImportComparison<Comparison::kLessEqual>},
    {"Greater", 7, ImportComparison<Comparison::kGreater>},
    {"GreaterOrEqual", 12, ImportComparison<Comparison::kGreaterEqual>},
    {"And", 7, ImportLogic<ExprOp::kAnd>},
    {"Or", 7, ImportLogic<ExprOp::kOr>},
    {"Not", 1, ImportNot},
    {"Where", 9, ImportWhere},
    {"Cast", 6, ImportCast},
};

}  // namespace

std::span<const OperatorEntry> ElementwiseOperators() { return kOperators; }

}  // namespace tilth
