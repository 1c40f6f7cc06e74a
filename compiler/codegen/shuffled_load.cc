// Loads whose lanes read elements close to each other, at distances known beforehand, though not one after another: one
// contiguous load and a shuffle. Groups of a convolution that share a vector read their channels so.
#include <algorithm>

#include "compiler/codegen/function_emitter.h"

namespace tilth {

// An index as what all lanes have in common plus an offset for each.
struct FunctionEmitter::LaneOffsets {
  Expr common;
  std::vector<int64_t> offsets;
};

bool FunctionEmitter::IsMultiple(const Expr& e, int64_t divisor) const {
  switch (e->op) {
    case ExprOp::kConst:
      return e->integer % divisor == 0;
    case ExprOp::kIndex:
      return variables_[e->id].constant && *variables_[e->id].constant % divisor == 0;
    case ExprOp::kMul:
      return IsMultiple(e->args[0], divisor) || IsMultiple(e->args[1], divisor);
    case ExprOp::kAdd:
    case ExprOp::kSub:
    case ExprOp::kMin:
    case ExprOp::kMax:
      return IsMultiple(e->args[0], divisor) && IsMultiple(e->args[1], divisor);
    default:
      return false;
  }
}

std::optional<FunctionEmitter::LaneOffsets> FunctionEmitter::SplitLanes(const Expr& e) const {
  const int lanes = vector_->lanes;
  if (!UsesVariable(e, vector_->var)) return LaneOffsets{e, std::vector<int64_t>(lanes, 0)};
  if (e->op == ExprOp::kIndex) {
    LaneOffsets own{expr::Int(0), {}};
    for (int lane = 0; lane < lanes; ++lane) own.offsets.push_back(lane);
    return own;
  }
  if (e->args.size() != 2) return std::nullopt;
  std::optional<LaneOffsets> a = SplitLanes(e->args[0]), b = SplitLanes(e->args[1]);
  if (!a || !b) return std::nullopt;
  const bool constant = expr::IsConst(e->args[1]);
  const int64_t number = constant ? e->args[1]->integer : 0;
  switch (e->op) {
    case ExprOp::kAdd:
    case ExprOp::kSub:
      a->common = expr::Binary(e->op, a->common, b->common);
      for (int lane = 0; lane < lanes; ++lane)
        a->offsets[lane] += e->op == ExprOp::kAdd ? b->offsets[lane] : -b->offsets[lane];
      return a;
    case ExprOp::kMul:
      if (!constant) return std::nullopt;
      a->common = expr::Mul(a->common, expr::Int(number));
      for (int64_t& offset : a->offsets) offset *= number;
      return a;
    case ExprOp::kFloorDiv:
      // Exact for the common part, so that each lane's own part can be divided by itself.
      if (!constant || number <= 0 || !IsMultiple(a->common, number)) return std::nullopt;
      a->common = expr::FloorDiv(a->common, number);
      for (int64_t& offset : a->offsets) {
        if (offset < 0) return std::nullopt;
        offset /= number;
      }
      return a;
    default:
      return std::nullopt;
  }
}

// Nothing where the lanes are too far apart for one vector, or read under conditions of their own.
StatusOr<std::optional<FunctionEmitter::Lanes>> FunctionEmitter::ShuffledLoad(const Expr& load) {
  if (guard_) return std::nullopt;
  const std::optional<LaneOffsets> split = SplitLanes(load->args[0]);
  if (!split) return std::nullopt;
  const auto active = split->offsets.begin() + vector_->extent;
  const int64_t first = *std::min_element(split->offsets.begin(), active);
  const int64_t span = *std::max_element(split->offsets.begin(), active) - first + 1;
  if (span > vector_->lanes) return std::nullopt;
  TILTH_ASSIGN_OR_RETURN(const Address address, SplitAddress(expr::Add(split->common, expr::Int(first))));
  TILTH_ASSIGN_OR_RETURN(llvm::Value * pointer, Pointer(load->id, address));
  const DType dtype = program_.buffers[load->id].dtype;
  llvm::Type* type = llvm::FixedVectorType::get(ElementType(dtype), vector_->lanes);
  std::vector<llvm::Constant*> mask;
  std::vector<int> order;
  for (int lane = 0; lane < vector_->lanes; ++lane) {
    mask.push_back(builder_.getInt1(lane < span));
    order.push_back(lane < vector_->extent ? static_cast<int>(split->offsets[lane] - first) : 0);
  }
  // Elements past the last one read may not exist.
  llvm::Instruction* elements =
      builder_.CreateMaskedLoad(type, pointer, llvm::Align(SizeInBytes(dtype)), llvm::ConstantVector::get(mask),
                                llvm::Constant::getNullValue(type));
  MarkAlias(elements, load->id);
  return Lanes{FromMemory(builder_.CreateShuffleVector(elements, order), dtype), true};
}

}  // namespace tilth
