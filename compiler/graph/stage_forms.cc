// What the passes ask about the form of a stage.
#include "compiler/graph/passes.h"

namespace tilth {
namespace {

// Which iteration variables occur in `e`.
std::vector<bool> IndicesIn(const Expr& e, size_t count) {
  std::vector<bool> found(count, false);
  expr::Visit(e, [&](const ExprNode& node) {
    if (node.op == ExprOp::kIndex && node.id < static_cast<int>(count)) found[node.id] = true;
  });
  return found;
}

// The load itself, looking through a select with the neutral 0; null for anything else.
const ExprNode* LoadInside(const Expr& e) {
  if (e->op == ExprOp::kLoad) return e.get();
  const bool guarded = e->op == ExprOp::kSelect && e->args[1]->op == ExprOp::kLoad && expr::IsConst(e->args[2]) &&
                       e->args[2]->number == 0;
  return guarded ? e->args[1].get() : nullptr;
}

bool AllAffine(const std::vector<Expr>& index, int num_indices) {
  for (const Expr& e : index) {
    if (!AsAffine(e, num_indices)) return false;
  }
  return true;
}

}  // namespace

bool IsIdentityIndex(const std::vector<Expr>& index, const std::vector<Axis>& axes) {
  if (index.size() != axes.size()) return false;
  for (size_t d = 0; d < index.size(); ++d) {
    const bool same = index[d]->op == ExprOp::kIndex && index[d]->id == static_cast<int>(d);
    if (!same && !(axes[d].extent == 1 && expr::IsIntConst(index[d], 0))) return false;
  }
  return true;
}

bool IsContraction(const Stage& stage) {
  if (stage.reduction != Reduction::kSum || stage.value->op != ExprOp::kMul) return false;
  const ExprNode* left = LoadInside(stage.value->args[0]);
  const Expr& right = stage.value->args[1];
  if (left == nullptr || right->op != ExprOp::kLoad) return false;
  const int num_indices = static_cast<int>(stage.axes.size() + stage.reduce_axes.size());
  if (!AllAffine(left->args, num_indices) || !AllAffine(right->args, num_indices)) return false;
  // Both over the same axes: a sum of squares or a dot product, which is a plain reduction.
  return IndicesIn(stage.value->args[0], num_indices) != IndicesIn(right, num_indices);
}

std::optional<Affine> LinearOffset(const std::vector<Expr>& index, const std::vector<int64_t>& shape, int num_indices) {
  Affine offset{std::vector<int64_t>(num_indices, 0), 0};
  for (size_t d = 0; d < index.size(); ++d) {
    const auto dimension = AsAffine(index[d], num_indices);
    if (!dimension) return std::nullopt;
    for (int i = 0; i < num_indices; ++i)
      offset.coefficients[i] = offset.coefficients[i] * shape[d] + dimension->coefficients[i];
    offset.constant = offset.constant * shape[d] + dimension->constant;
  }
  return offset;
}

}  // namespace tilth
