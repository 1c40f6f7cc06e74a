// Sizes, hashes and operation counts of workloads; the text form is in workload_text.cc.
#include "ir/workload.h"

#include <algorithm>
#include <limits>

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

// Lowest and highest index touched, per dimension; empty at first.
struct Range {
  int64_t low = std::numeric_limits<int64_t>::max(), high = -1;
};
using Box = std::vector<Range>;

// Widens `box` by what `index` reaches in one run of `stage`: a kernel may read or write one slice of a larger tensor.
void Cover(const Stage& stage, const std::vector<Expr>& index, const std::vector<int64_t>& shape, Box* box) {
  std::vector<int64_t> extents;
  for (const Axis& axis : stage.axes) extents.push_back(axis.extent);
  for (const Axis& axis : stage.reduce_axes) extents.push_back(axis.extent);
  for (size_t d = 0; d < index.size() && d < shape.size(); ++d) {
    int64_t low = 0, high = shape[d] - 1;
    if (const auto affine = AsAffine(index[d], static_cast<int>(extents.size()))) {
      low = high = affine->constant;
      for (size_t i = 0; i < extents.size(); ++i) {
        const int64_t reach = affine->coefficients[i] * (extents[i] - 1);
        (reach < 0 ? low : high) += reach;
      }
    }
    // Padding reaches outside.
    (*box)[d].low = std::min((*box)[d].low, std::max<int64_t>(low, 0));
    (*box)[d].high = std::max((*box)[d].high, std::min<int64_t>(high, shape[d] - 1));
  }
}

}  // namespace

double ReductionIdentity(Reduction reduction) {
  switch (reduction) {
    case Reduction::kMax:
      return -std::numeric_limits<double>::infinity();
    case Reduction::kMin:
      return std::numeric_limits<double>::infinity();
    case Reduction::kProd:
      return 1;
    default:
      return 0;
  }
}

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
    Box box(tensor.shape.size());
    for (const Stage& stage : workload.stages) {
      if (stage.output == static_cast<int>(t)) Cover(stage, stage.output_index, tensor.shape, &box);
      expr::Visit(stage.value, [&](const ExprNode& node) {
        if (node.op == ExprOp::kLoad && node.id == static_cast<int>(t)) Cover(stage, node.args, tensor.shape, &box);
      });
    }
    double elements = 1;
    for (const auto& [low, high] : box) elements *= static_cast<double>(std::max<int64_t>(0, high - low + 1));
    bytes += elements * static_cast<double>(SizeInBytes(tensor.dtype));
  }
  return bytes;
}

}  // namespace tilth
