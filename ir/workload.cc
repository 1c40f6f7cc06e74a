// Sizes, hashes and operation counts of workloads; the text form is in workload_text.cc.
#include "ir/workload.h"

#include <algorithm>

#include "base/hash.h"

namespace tilth {
namespace {

double Points(const std::vector<Axis>& axes) {
  double points = 1;
  for (const Axis& axis : axes) points *= static_cast<double>(axis.extent);
  return points;
}

// Float operations of one evaluation. Integer expressions are index arithmetic and count nothing.
double ValueFlops(const Expr& e) {
  if (e->op == ExprOp::kSelect) {
    return ValueFlops(e->args[0]) + std::max(ValueFlops(e->args[1]), ValueFlops(e->args[2]));
  }
  if (e->op == ExprOp::kLoad) return 0;
  double flops = IsFloat(e->dtype) && !e->args.empty() && e->op != ExprOp::kCast ? 1 : 0;
  for (const Expr& arg : e->args) flops += ValueFlops(arg);
  return flops;
}

}  // namespace

int64_t NumElements(const std::vector<int64_t>& shape) {
  int64_t count = 1;
  for (int64_t extent : shape) count *= extent;
  return count;
}

int64_t SizeInBytes(const Tensor& tensor) { return NumElements(tensor.shape) * SizeInBytes(tensor.dtype); }

std::vector<Expr> IdentityIndex(int rank) {
  std::vector<Expr> index;
  for (int i = 0; i < rank; ++i) index.push_back(expr::Index(i));
  return index;
}

std::string StructuralHash(const Workload& workload) { return ContentHash(ToText(workload)); }

double Flops(const Workload& workload) {
  double flops = 0;
  for (const Stage& stage : workload.stages) {
    const double step = ValueFlops(stage.value) + (stage.reduction == Reduction::kNone ? 0 : 1);
    flops += Points(stage.axes) * Points(stage.reduce_axes) * step;
  }
  return flops;
}

double CompulsoryBytes(const Workload& workload) {
  double bytes = 0;
  for (size_t t = 0; t < workload.tensors.size(); ++t) {
    const Tensor& tensor = workload.tensors[t];
    if (tensor.role == TensorRole::kTemporary) continue;
    double elements = static_cast<double>(NumElements(tensor.shape));
    if (tensor.role == TensorRole::kOutput) {
      // A stage may write one slice of a larger output.
      double written = 0;
      for (const Stage& stage : workload.stages) {
        if (stage.output == static_cast<int>(t)) written += Points(stage.axes);
      }
      elements = std::min(elements, written);
    }
    bytes += elements * static_cast<double>(SizeInBytes(tensor.dtype));
  }
  return bytes;
}

}  // namespace tilth
