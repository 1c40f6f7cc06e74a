#include "tests/ir/workloads.h"

namespace tilth::testing {

using expr::Index;
using expr::Int;
using expr::Load;

Tensor MakeTensor(std::string name, TensorRole role, std::vector<int64_t> shape, DType dtype) {
  Tensor tensor;
  tensor.name = std::move(name);
  tensor.role = role;
  tensor.shape = std::move(shape);
  tensor.dtype = dtype;
  return tensor;
}

Workload Matmul(int64_t m, int64_t n, int64_t k) {
  Workload w;
  w.name = "matmul";
  w.tensors = {MakeTensor("a", TensorRole::kInput, {m, k}), MakeTensor("b", TensorRole::kConstant, {k, n}),
               MakeTensor("c", TensorRole::kOutput, {m, n})};
  Stage stage;
  stage.output = 2;
  stage.axes = {{"m", m}, {"n", n}};
  stage.reduce_axes = {{"k", k}};
  stage.reduction = Reduction::kSum;
  stage.output_index = IdentityIndex(2);
  stage.value = expr::Mul(Load(0, DType::kF32, {Index(0), Index(2)}), Load(1, DType::kF32, {Index(2), Index(1)}));
  w.stages = {stage};
  return w;
}

Workload ConvRelu(int64_t height, int64_t width, int64_t channels, int64_t filters) {
  Workload w;
  w.name = "conv";
  w.tensors = {MakeTensor("x", TensorRole::kInput, {1, height, width, channels}),
               MakeTensor("w", TensorRole::kConstant, {filters, channels, 3, 3}),
               MakeTensor("b", TensorRole::kConstant, {filters}),
               MakeTensor("y", TensorRole::kOutput, {1, height, width, filters}),
               MakeTensor("t", TensorRole::kTemporary, {1, height, width, filters})};
  Stage conv;
  conv.output = 4;
  conv.axes = {{"n", 1}, {"h", height}, {"w", width}, {"o", filters}};
  conv.reduce_axes = {{"r", 3}, {"s", 3}, {"c", channels}};
  conv.reduction = Reduction::kSum;
  conv.output_index = IdentityIndex(4);
  const Expr h = expr::Sub(expr::Add(Index(1), Index(4)), Int(1)), x = expr::Sub(expr::Add(Index(2), Index(5)), Int(1));
  const Expr inside = expr::And(expr::And(expr::LessEqual(Int(0), h), expr::LessThan(h, Int(height))),
                                expr::And(expr::LessEqual(Int(0), x), expr::LessThan(x, Int(width))));
  const Expr padded = expr::Select(inside, Load(0, DType::kF32, {Index(0), h, x, Index(6)}), expr::Float(0));
  conv.value = expr::Mul(padded, Load(1, DType::kF32, {Index(3), Index(6), Index(4), Index(5)}));
  Stage relu;
  relu.output = 3;
  relu.axes = conv.axes;
  relu.output_index = IdentityIndex(4);
  const Expr sum = expr::Add(Load(4, DType::kF32, IdentityIndex(4)), Load(2, DType::kF32, {Index(3)}));
  relu.value = expr::Max(sum, expr::Float(0));
  w.stages = {conv, relu};
  return w;
}

Workload Softmax(int64_t rows, int64_t columns) {
  Workload w;
  w.name = "softmax";
  w.tensors = {MakeTensor("x", TensorRole::kInput, {rows, columns}),
               MakeTensor("y", TensorRole::kOutput, {rows, columns}), MakeTensor("m", TensorRole::kTemporary, {rows}),
               MakeTensor("s", TensorRole::kTemporary, {rows})};
  const Expr x = Load(0, DType::kF32, {Index(0), Index(1)});
  const Expr shifted = expr::Unary(ExprOp::kExp, expr::Sub(x, Load(2, DType::kF32, {Index(0)})));
  Stage maximum{2, {{"i", rows}}, {{"j", columns}}, Reduction::kMax, IdentityIndex(1), x};
  Stage sum{3, {{"i", rows}}, {{"j", columns}}, Reduction::kSum, IdentityIndex(1), shifted};
  Stage divide{1,
               {{"i", rows}, {"j", columns}},
               {},
               Reduction::kNone,
               IdentityIndex(2),
               expr::Binary(ExprOp::kDiv, shifted, Load(3, DType::kF32, {Index(0)}))};
  w.stages = {maximum, sum, divide};
  return w;
}

}  // namespace tilth::testing
