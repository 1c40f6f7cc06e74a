// See the header for the derivation.
#include "tuner/tolerance.h"

#include <algorithm>

#include "ir/expr.h"

namespace tilth {
namespace {

double Epsilon(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return 0x1p-23;
    case DType::kF16:
      return 0x1p-10;
    case DType::kBF16:
      return 0x1p-7;
    default:
      return 0;
  }
}

struct Arithmetic {
  double summed = 1;      // terms that end up in one output element, over all stages
  bool smooth = false;    // exp, tanh, erf, sigmoid
  bool singular = false;  // division, log, sqrt, pow: relative error grows near a pole
};

Arithmetic Inspect(const Workload& workload) {
  Arithmetic found;
  for (const Stage& stage : workload.stages) {
    if (stage.reduction == Reduction::kSum || stage.reduction == Reduction::kProd) {
      for (const Axis& axis : stage.reduce_axes) found.summed *= static_cast<double>(axis.extent);
    }
    expr::Visit(stage.value, [&](const ExprNode& node) {
      switch (node.op) {
        case ExprOp::kExp:
        case ExprOp::kTanh:
        case ExprOp::kErf:
        case ExprOp::kSigmoid:
          found.smooth = true;
          break;
        case ExprOp::kLog:
        case ExprOp::kSqrt:
        case ExprOp::kPow:
          found.singular = true;
          break;
        case ExprOp::kDiv:
          if (!expr::IsConst(node.args[1])) found.singular = true;
          break;
        default:
          break;
      }
    });
  }
  return found;
}

}  // namespace

std::vector<Tolerance> OutputTolerances(const Workload& workload) {
  const Arithmetic arithmetic = Inspect(workload);
  std::vector<Tolerance> tolerances;
  for (const Tensor& tensor : workload.tensors) {
    if (tensor.role != TensorRole::kOutput) continue;
    const double eps = Epsilon(tensor.dtype);
    Tolerance tolerance = {.rtol = 0, .atol = 0};
    if (eps > 0) {
      // Beyond this length a sum's error grows more slowly than the walk's bound, and a bug would hide in it.
      const double accumulated = (16 + std::min(arithmetic.summed, 1e5)) * eps;
      tolerance = {.rtol = 32 * eps, .atol = accumulated};
      if (arithmetic.smooth) tolerance.rtol += accumulated + 1e-5;
      if (arithmetic.singular) tolerance.rtol += 4 * accumulated + 1e-4;
    }
    tolerances.push_back(tolerance);
  }
  return tolerances;
}

}  // namespace tilth
