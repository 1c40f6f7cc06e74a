#include "compiler/lower/program_builder.h"

#include <algorithm>

namespace tilth {

ProgramBuilder::ProgramBuilder(std::string name, const std::vector<Tensor>& tensors)
    : tensors_(tensors), buffer_of_(tensors.size(), -1) {
  program_.name = std::move(name);
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (tensors[i].role == TensorRole::kTemporary) continue;
    LoopBuffer buffer;
    buffer.name = StrCat("t", i);
    buffer.dtype = tensors[i].dtype;
    buffer.num_elements = NumElements(tensors[i].shape);
    buffer.argument = tensors[i].role == TensorRole::kInput      ? ArgumentKind::kInput
                      : tensors[i].role == TensorRole::kConstant ? ArgumentKind::kConstant
                                                                 : ArgumentKind::kOutput;
    buffer_of_[i] = program_.NewBuffer(std::move(buffer));
  }
}

int ProgramBuilder::Place(int tensor, BufferScope scope, int64_t num_elements, int64_t slack_elements) {
  LoopBuffer buffer;
  buffer.name = StrCat("t", tensor);
  buffer.scope = scope;
  buffer.dtype = tensors_[tensor].dtype;
  buffer.num_elements = num_elements;
  buffer.slack_elements = slack_elements;
  return buffer_of_[tensor] = program_.NewBuffer(std::move(buffer));
}

int ProgramBuilder::NewBuffer(std::string name, BufferScope scope, int64_t num_elements, int register_lanes,
                              int64_t slack_elements) {
  LoopBuffer buffer;
  buffer.name = std::move(name);
  buffer.scope = scope;
  buffer.num_elements = num_elements;
  buffer.register_lanes = register_lanes;
  buffer.slack_elements = slack_elements;
  return program_.NewBuffer(std::move(buffer));
}

Expr ProgramBuilder::NewVariable(const std::string& name) { return expr::Index(program_.NewVariable(name)); }

Expr ProgramBuilder::Bind(const Expr& e, const std::vector<Expr>& axes) const {
  return BindWith(e, axes, /*tensor=*/-1, nullptr);
}

Expr ProgramBuilder::BindWith(const Expr& e, const std::vector<Expr>& axes, int tensor, const Expr& value) const {
  return expr::Rewrite(e, [&](const Expr& node) -> Expr {
    if (node->op == ExprOp::kIndex) return axes[node->id];
    if (node->op != ExprOp::kLoad) return nullptr;
    return node->id == tensor ? value : expr::Load(buffer_of_[node->id], node->dtype, node->args);
  });
}

std::vector<Expr> Digits(Expr index, const std::vector<int64_t>& extents) {
  std::vector<Expr> digits(extents.size());
  for (size_t i = extents.size(); i-- > 0;) {
    const bool most_significant = i == 0;
    digits[i] = extents[i] == 1 ? expr::Int(0) : most_significant ? index : expr::Mod(index, extents[i]);
    if (extents[i] > 1 && !most_significant) index = expr::FloorDiv(index, extents[i]);
  }
  return digits;
}

StmtList AlongVector(ProgramBuilder& builder, const Expr& begin, int64_t extent, int lanes, int64_t unroll,
                     const VectorBody& body) {
  StmtList result;
  auto vector = [&](const Expr& start, int64_t active) {
    const Expr lane = builder.NewVariable("lane");
    return For(lane->id, LoopKind::kVector, expr::Int(active), body(start, lane, active), lanes);
  };
  const int64_t step = lanes * unroll;
  const int64_t steps = extent / step;
  if (steps > 0) {
    const Expr i = builder.NewVariable("i");
    StmtList unrolled;
    for (int64_t u = 0; u < unroll; ++u)
      unrolled.push_back(
          vector(expr::Add(begin, expr::Add(expr::Mul(i, expr::Int(step)), expr::Int(u * lanes))), lanes));
    result.push_back(For(i->id, LoopKind::kSerial, expr::Int(steps), std::move(unrolled)));
  }
  for (int64_t at = steps * step; at < extent; at += lanes)
    result.push_back(vector(expr::Add(begin, expr::Int(at)), std::min<int64_t>(lanes, extent - at)));
  return result;
}

Expr Combine(Reduction reduction, Expr accumulated, Expr value) {
  switch (reduction) {
    case Reduction::kSum:
      return expr::Add(std::move(accumulated), std::move(value));
    case Reduction::kMax:
      return expr::Max(std::move(accumulated), std::move(value));
    case Reduction::kMin:
      return expr::Min(std::move(accumulated), std::move(value));
    case Reduction::kProd:
      return expr::Mul(std::move(accumulated), std::move(value));
    case Reduction::kNone:
      break;
  }
  return value;
}

}  // namespace tilth
