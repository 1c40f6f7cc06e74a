// Reductions over any axes.
#include <algorithm>
#include <numeric>

#include "compiler/onnx/op_context.h"
#include "compiler/onnx/registry.h"

namespace tilth {
namespace {

enum class Kind { kMean, kSum, kMax, kMin, kProd, kL1, kL2, kSumSquare, kLogSumExp };

StatusOr<std::vector<int>> ReadAxes(OpContext& op, int rank, bool axes_are_input, bool* nothing_to_do) {
  std::vector<int64_t> axes;
  if (axes_are_input && op.HasInput(1)) {
    TILTH_ASSIGN_OR_RETURN(axes, op.ConstantInts(1));
  } else if (!axes_are_input) {
    axes = op.Ints("axes", {});
  }
  const bool noop = op.Int("noop_with_empty_axes", 0) != 0;
  *nothing_to_do = axes.empty() && noop;
  if (axes.empty() && !noop) {
    axes.resize(rank);
    std::iota(axes.begin(), axes.end(), 0);
  }
  std::vector<int> sorted;
  for (int64_t axis : axes) {
    TILTH_ASSIGN_OR_RETURN(const int normalized, op.NormalizeAxis(axis, rank));
    sorted.push_back(normalized);
  }
  std::sort(sorted.begin(), sorted.end());
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  return sorted;
}

Reduction ReductionOf(Kind kind) {
  switch (kind) {
    case Kind::kMax:
      return Reduction::kMax;
    case Kind::kMin:
      return Reduction::kMin;
    case Kind::kProd:
      return Reduction::kProd;
    default:
      return Reduction::kSum;
  }
}

// What is reduced, of an element x.
Expr Inner(Kind kind, const Expr& x) {
  switch (kind) {
    case Kind::kL1:
      return expr::Unary(ExprOp::kAbs, x);
    case Kind::kL2:
    case Kind::kSumSquare:
      return expr::Mul(x, x);
    case Kind::kLogSumExp:
      return expr::Unary(ExprOp::kExp, x);
    default:
      return x;
  }
}

template <Kind kKind, bool kAxesAreInput>
Status ImportReduce(OpContext& op) {
  TILTH_ASSIGN_OR_RETURN(const int x, op.Input(0));
  const bool needs_float = kKind == Kind::kMean || kKind == Kind::kL2 || kKind == Kind::kLogSumExp;
  if (op.TypeOf(x) == DType::kBool || (needs_float && !IsFloat(op.TypeOf(x)))) {
    return op.Error("element type ", ToString(op.TypeOf(x)), " is not supported here");
  }
  const Extents in = op.Shape(x);
  const int rank = static_cast<int>(in.size());
  bool nothing_to_do = false;
  TILTH_ASSIGN_OR_RETURN(const std::vector<int> reduced, ReadAxes(op, rank, kAxesAreInput, &nothing_to_do));
  const bool keep = op.Int("keepdims", 1) != 0;
  if (nothing_to_do || rank == 0) {
    op.SetOutput(0, x);
    return absl::OkStatus();
  }
  Extents shape;
  std::vector<Axis> axes, reduce_axes;
  std::vector<Expr> load(rank), store;
  for (int d = 0; d < rank; ++d) {
    const bool is_reduced = std::binary_search(reduced.begin(), reduced.end(), d);
    if (!is_reduced) {
      load[d] = expr::Index(static_cast<int>(axes.size()));
      store.push_back(load[d]);
      axes.push_back({StrCat("i", d), in[d]});
      shape.push_back(in[d]);
    } else if (keep) {
      store.push_back(expr::Int(0));
      shape.push_back(1);
    }
  }
  double count = 1;
  for (int d : reduced) {
    load[d] = expr::Index(static_cast<int>(axes.size() + reduce_axes.size()));
    reduce_axes.push_back({StrCat("r", d), in[d]});
    count *= static_cast<double>(in[d]);
  }
  TILTH_ASSIGN_OR_RETURN(int y, op.NewTensor(op.TypeOf(x), shape));
  op.AddReduction(y, axes, store, ReductionOf(kKind), reduce_axes, Inner(kKind, op.Load(x, load)));
  const Expr sum = op.Load(y, store);
  Expr last;
  if (kKind == Kind::kMean) last = expr::Mul(sum, expr::Float(1 / count));
  if (kKind == Kind::kL2) last = expr::Unary(ExprOp::kSqrt, sum);
  if (kKind == Kind::kLogSumExp) last = expr::Unary(ExprOp::kLog, sum);
  if (last) {
    TILTH_ASSIGN_OR_RETURN(y, op.NewTensor(op.TypeOf(x), shape));
    op.AddStage(y, axes, store, last);
  }
  op.SetOutput(0, y);
  return absl::OkStatus();
}

constexpr OperatorEntry kOperators[] = {
    {"ReduceMean", 1, ImportReduce<Kind::kMean, false>},
    {"ReduceSum", 1, ImportReduce<Kind::kSum, false>},
    {"ReduceSum", 13, ImportReduce<Kind::kSum, true>},
    {"ReduceMax", 1, ImportReduce<Kind::kMax, false>},
    {"ReduceMin", 1, ImportReduce<Kind::kMin, false>},
    {"ReduceProd", 1, ImportReduce<Kind::kProd, false>},
    {"ReduceL1", 1, ImportReduce<Kind::kL1, false>},
    {"ReduceL2", 1, ImportReduce<Kind::kL2, false>},
    {"ReduceSumSquare", 1, ImportReduce<Kind::kSumSquare, false>},
    {"ReduceLogSumExp", 1, ImportReduce<Kind::kLogSumExp, false>},
};

}  // namespace

std::span<const OperatorEntry> ReductionOperators() { return kOperators; }

}  // namespace tilth
