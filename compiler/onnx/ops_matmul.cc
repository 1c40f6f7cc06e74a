// Matrix products.
#include "compiler/onnx/op_context.h"
#include "compiler/onnx/registry.h"

namespace tilth {
namespace {

Status ImportMatMul(OpContext& op) {
  TILTH_ASSIGN_OR_RETURN(const int a, op.FloatInput(0));
  TILTH_ASSIGN_OR_RETURN(const int b, op.FloatInput(1));
  Extents a_shape = op.Shape(a), b_shape = op.Shape(b);
  const bool a_vector = a_shape.size() == 1, b_vector = b_shape.size() == 1;
  if (a_shape.empty() || b_shape.empty() || op.TypeOf(a) != op.TypeOf(b)) {
    return op.Error("its inputs must be of one type and not be scalars");
  }
  if (a_vector) a_shape.insert(a_shape.begin(), 1);
  if (b_vector) b_shape.push_back(1);
  const int64_t m = a_shape.end()[-2], k = a_shape.back(), n = b_shape.back();
  if (b_shape.end()[-2] != k)
    return op.Error(ShapeText(op.Shape(a)), " and ", ShapeText(op.Shape(b)), " do not multiply");
  const Extents a_batch(a_shape.begin(), a_shape.end() - 2), b_batch(b_shape.begin(), b_shape.end() - 2);
  TILTH_ASSIGN_OR_RETURN(const Extents batch, BroadcastShapes(a_batch, b_batch));

  const int rank = static_cast<int>(batch.size());
  std::vector<Axis> axes = AxesOf(batch, "b");
  std::vector<Expr> store = IdentityIndex(rank);
  Extents shape = batch;
  int next = rank;
  Expr row = expr::Int(0), column = expr::Int(0);
  if (!a_vector) {
    axes.push_back({"m", m});
    shape.push_back(m);
    store.push_back(row = expr::Index(next++));
  }
  if (!b_vector) {
    axes.push_back({"n", n});
    shape.push_back(n);
    store.push_back(column = expr::Index(next++));
  }
  const Expr inner = expr::Index(next);
  const auto batch_index = [&](const Extents& own) {
    std::vector<Expr> index;
    for (int d = 0; d < static_cast<int>(own.size()); ++d) {
      index.push_back(own[d] == 1 ? expr::Int(0) : expr::Index(rank - static_cast<int>(own.size()) + d));
    }
    return index;
  };
  std::vector<Expr> a_index = batch_index(a_batch), b_index = batch_index(b_batch);
  if (!a_vector) a_index.push_back(row);
  a_index.push_back(inner);
  b_index.push_back(inner);
  if (!b_vector) b_index.push_back(column);
  TILTH_ASSIGN_OR_RETURN(const int y, op.NewTensor(op.TypeOf(a), shape));
  op.AddReduction(y, std::move(axes), std::move(store), Reduction::kSum, {{"k", k}},
                  expr::Mul(op.Load(a, std::move(a_index)), op.Load(b, std::move(b_index))));
  op.SetOutput(0, y);
  return absl::OkStatus();
}

// alpha * A' * B' + beta * C
Status ImportGemm(OpContext& op) {
  TILTH_ASSIGN_OR_RETURN(const int a, op.FloatInput(0));
  TILTH_ASSIGN_OR_RETURN(const int b, op.FloatInput(1));
  const bool trans_a = op.Int("transA", 0) != 0, trans_b = op.Int("transB", 0) != 0;
  const float alpha = op.Float("alpha", 1), beta = op.Float("beta", 1);
  if (op.Rank(a) != 2 || op.Rank(b) != 2 || op.TypeOf(a) != op.TypeOf(b))
    return op.Error("A and B must be matrices of one type");
  const int64_t m = op.Shape(a)[trans_a], k = op.Shape(a)[!trans_a], n = op.Shape(b)[!trans_b];
  if (op.Shape(b)[trans_b] != k) {
    return op.Error(ShapeText(op.Shape(a)), " and ", ShapeText(op.Shape(b)), " do not multiply with transA=", trans_a,
                    " transB=", trans_b);
  }
  const Expr row = expr::Index(0), column = expr::Index(1), inner = expr::Index(2);
  const Extents shape = {m, n};
  TILTH_ASSIGN_OR_RETURN(int y, op.NewTensor(op.TypeOf(a), shape));
  const Expr left = op.Load(a, trans_a ? std::vector<Expr>{inner, row} : std::vector<Expr>{row, inner});
  const Expr right = op.Load(b, trans_b ? std::vector<Expr>{column, inner} : std::vector<Expr>{inner, column});
  op.AddReduction(y, {{"m", m}, {"n", n}}, IdentityIndex(2), Reduction::kSum, {{"k", k}}, expr::Mul(left, right));
  const bool add = op.HasInput(2) && beta != 0;
  if (add || alpha != 1) {
    Expr value = expr::Mul(op.LoadBroadcast(y, shape), expr::Float(alpha));
    if (add) {
      TILTH_ASSIGN_OR_RETURN(const int c, op.FloatInput(2));
      TILTH_ASSIGN_OR_RETURN(const Extents broadcast, BroadcastShapes(shape, op.Shape(c)));
      if (broadcast != shape)
        return op.Error("C ", ShapeText(op.Shape(c)), " does not broadcast to ", ShapeText(shape));
      value = expr::Add(value, expr::Mul(op.LoadBroadcast(c, shape), expr::Float(beta)));
    }
    TILTH_ASSIGN_OR_RETURN(y, op.AddElementwise(op.TypeOf(a), shape, value));
  }
  op.SetOutput(0, y);
  return absl::OkStatus();
}

constexpr OperatorEntry kOperators[] = {{"MatMul", 1, ImportMatMul}, {"Gemm", 7, ImportGemm}};

}  // namespace

std::span<const OperatorEntry> MatrixOperators() { return kOperators; }

}  // namespace tilth
