// Expressions: every value is uniform or has one element per lane.
#include <algorithm>

#include "compiler/codegen/function_emitter.h"
#include "compiler/codegen/vector_math.h"

namespace tilth {
namespace {

// Whether an integer expression can be seen to be at least 0. Variables are: they count iterations.
bool IsNonNegative(const Expr& e) {
  switch (e->op) {
    case ExprOp::kConst:
      return e->integer >= 0;
    case ExprOp::kIndex:
      return true;
    case ExprOp::kFloorDiv:
    case ExprOp::kMod:
      return IsNonNegative(e->args[0]) && expr::IsConst(e->args[1]) && e->args[1]->integer > 0;
    case ExprOp::kAdd:
    case ExprOp::kMul:
    case ExprOp::kMin:
    case ExprOp::kMax:
      return IsNonNegative(e->args[0]) && IsNonNegative(e->args[1]);
    default:
      return false;
  }
}

bool ContainsLoad(const Expr& e) {
  bool found = false;
  expr::Visit(e, [&](const ExprNode& node) { found |= node.op == ExprOp::kLoad; });
  return found;
}

}  // namespace

llvm::Type* FunctionEmitter::ElementType(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return builder_.getFloatTy();
    case DType::kF16:
      return builder_.getHalfTy();
    case DType::kBF16:
      return builder_.getBFloatTy();
    case DType::kI8:
    case DType::kBool:
      return builder_.getInt8Ty();
    case DType::kI32:
      return builder_.getInt32Ty();
    case DType::kI64:
      return builder_.getInt64Ty();
  }
  return nullptr;
}

llvm::Value* FunctionEmitter::FromMemory(llvm::Value* value, DType dtype) {
  auto widened = [&](llvm::Type* scalar) -> llvm::Type* {
    auto* vector = llvm::dyn_cast<llvm::FixedVectorType>(value->getType());
    return vector ? llvm::FixedVectorType::get(scalar, vector->getNumElements()) : scalar;
  };
  if (dtype == DType::kF16 || dtype == DType::kBF16) return builder_.CreateFPExt(value, widened(builder_.getFloatTy()));
  if (dtype == DType::kBool) return builder_.CreateICmpNE(value, llvm::Constant::getNullValue(value->getType()));
  if (dtype == DType::kI8 || dtype == DType::kI32) return builder_.CreateSExt(value, widened(builder_.getInt64Ty()));
  return value;
}

llvm::Value* FunctionEmitter::ToMemory(llvm::Value* value, DType dtype) {
  llvm::Type* type = ElementType(dtype);
  if (auto* vector = llvm::dyn_cast<llvm::FixedVectorType>(value->getType()))
    type = llvm::FixedVectorType::get(type, vector->getNumElements());
  if (value->getType() == type) return value;
  if (dtype == DType::kBool) return builder_.CreateZExt(value, type);
  if (IsFloat(dtype)) return builder_.CreateFPTrunc(value, type);
  return builder_.CreateTrunc(value, type);
}

llvm::Value* FunctionEmitter::Splat(const Lanes& lanes) {
  return lanes.vector ? lanes.value : builder_.CreateVectorSplat(vector_->lanes, lanes.value);
}

llvm::Value* FunctionEmitter::LaneMask() {
  std::vector<llvm::Constant*> bits;
  for (int i = 0; i < vector_->lanes; ++i) bits.push_back(builder_.getInt1(i < vector_->extent));
  return llvm::ConstantVector::get(bits);
}

StatusOr<FunctionEmitter::Lanes> FunctionEmitter::Eval(const Expr& e) {
  const bool is_integer_arithmetic = !e->args.empty() && e->op != ExprOp::kLoad && !IsFloat(e->dtype);
  const std::optional<int> scope = is_integer_arithmetic ? ScopeOf(e) : std::nullopt;
  if (!scope) return EvalHere(e);
  TILTH_ASSIGN_OR_RETURN(llvm::Value * value, Known(*scope, KeyOf(e), [&]() -> StatusOr<llvm::Value*> {
                           TILTH_ASSIGN_OR_RETURN(const Lanes lanes, EvalHere(e));
                           return lanes.value;
                         }));
  return Lanes{value};
}

StatusOr<FunctionEmitter::Lanes> FunctionEmitter::EvalHere(const Expr& e) {
  switch (e->op) {
    case ExprOp::kConst:
      if (e->dtype == DType::kBool) return Lanes{builder_.getInt1(e->integer != 0)};
      if (IsFloat(e->dtype)) return Lanes{llvm::ConstantFP::get(builder_.getFloatTy(), e->number)};
      return Lanes{builder_.getInt64(e->integer)};
    case ExprOp::kIndex: {
      if (vector_ && e->id == vector_->var) {
        std::vector<llvm::Constant*> lanes;
        for (int i = 0; i < vector_->lanes; ++i) lanes.push_back(builder_.getInt64(i));
        return Lanes{llvm::ConstantVector::get(lanes), true};
      }
      const Variable& variable = variables_[e->id];
      if (variable.constant) return Lanes{builder_.getInt64(*variable.constant)};
      if (!variable.value) return absl::InvalidArgumentError("a variable is used outside its loop");
      return Lanes{variable.value};
    }
    case ExprOp::kLoad:
      return EvalLoad(e);
    case ExprOp::kSelect:
      return EvalSelect(e);
    case ExprOp::kCast:
      return EvalCast(e);
    default:
      return e->args.size() == 1 ? EvalUnary(e) : EvalBinary(e);
  }
}

std::optional<FunctionEmitter::Lanes> FunctionEmitter::TryFusedMultiplyAdd(const Expr& e, Status* status) {
  if (e->op != ExprOp::kAdd || !IsFloat(e->dtype)) return std::nullopt;
  for (int side : {1, 0}) {
    const Expr& product = e->args[side];
    if (product->op != ExprOp::kMul) continue;
    Lanes operands[3];
    const Expr* sources[3] = {&product->args[0], &product->args[1], &e->args[1 - side]};
    bool vector = false;
    for (int i = 0; i < 3; ++i) {
      StatusOr<Lanes> lanes = Eval(*sources[i]);
      if (!lanes.ok()) {
        *status = lanes.status();
        return std::nullopt;
      }
      operands[i] = *lanes;
      vector |= lanes->vector;
    }
    llvm::Value* values[3];
    for (int i = 0; i < 3; ++i) values[i] = vector ? Splat(operands[i]) : operands[i].value;
    llvm::Value* fused =
        builder_.CreateIntrinsic(llvm::Intrinsic::fmuladd, {values[0]->getType()}, {values[0], values[1], values[2]});
    return Lanes{fused, vector};
  }
  return std::nullopt;
}

StatusOr<FunctionEmitter::Lanes> FunctionEmitter::EvalBinary(const Expr& e) {
  Status status;
  if (std::optional<Lanes> fused = TryFusedMultiplyAdd(e, &status)) return *fused;
  TILTH_RETURN_IF_ERROR(status);
  TILTH_ASSIGN_OR_RETURN(Lanes left, Eval(e->args[0]));
  TILTH_ASSIGN_OR_RETURN(Lanes right, Eval(e->args[1]));
  const bool vector = left.vector || right.vector;
  llvm::Value* a = vector ? Splat(left) : left.value;
  llvm::Value* b = vector ? Splat(right) : right.value;
  const bool is_float = IsFloat(e->args[0]->dtype);
  auto made = [&](llvm::Value* value) { return Lanes{value, vector}; };
  switch (e->op) {
    case ExprOp::kAdd:
      return made(is_float ? builder_.CreateFAdd(a, b) : builder_.CreateNSWAdd(a, b));
    case ExprOp::kSub:
      return made(is_float ? builder_.CreateFSub(a, b) : builder_.CreateNSWSub(a, b));
    case ExprOp::kMul:
      return made(is_float ? builder_.CreateFMul(a, b) : builder_.CreateNSWMul(a, b));
    case ExprOp::kDiv:
      return made(builder_.CreateFDiv(a, b));
    case ExprOp::kPow:
      return made(EmitPow(builder_, a, b));
    case ExprOp::kFloorDiv:
    case ExprOp::kMod: {
      if (IsNonNegative(e->args[0]) && expr::IsConst(e->args[1]) && e->args[1]->integer > 0)
        return made(e->op == ExprOp::kMod ? builder_.CreateURem(a, b) : builder_.CreateUDiv(a, b));
      // Dividing by 0 or by -1 may trap, also in lanes past the end, which hold anything. By 0 gives 0, as interpreted;
      // constant divisors fold all this away.
      llvm::Value* zero = llvm::Constant::getNullValue(a->getType());
      llvm::Value* one = llvm::ConstantInt::get(a->getType(), 1);
      llvm::Value* by_zero = builder_.CreateICmpEQ(b, zero);
      llvm::Value* by_minus_one = builder_.CreateICmpEQ(b, llvm::Constant::getAllOnesValue(b->getType()));
      llvm::Value* divisor = builder_.CreateSelect(builder_.CreateOr(by_zero, by_minus_one), one, b);
      llvm::Value* quotient = builder_.CreateSDiv(a, divisor);
      quotient = builder_.CreateSelect(by_minus_one, builder_.CreateNeg(a), quotient);
      quotient = builder_.CreateSelect(by_zero, zero, quotient);
      llvm::Value* remainder = builder_.CreateSub(a, builder_.CreateMul(quotient, b));
      remainder = builder_.CreateSelect(by_zero, zero, remainder);
      llvm::Value* adjust = builder_.CreateAnd(
          builder_.CreateICmpNE(remainder, zero),
          builder_.CreateICmpNE(builder_.CreateICmpSLT(remainder, zero), builder_.CreateICmpSLT(b, zero)));
      if (e->op == ExprOp::kMod)
        return made(builder_.CreateSelect(adjust, builder_.CreateAdd(remainder, b), remainder));
      return made(builder_.CreateSub(quotient, builder_.CreateZExt(adjust, a->getType())));
    }
    case ExprOp::kMin:
      return made(builder_.CreateSelect(is_float ? builder_.CreateFCmpOLT(a, b) : builder_.CreateICmpSLT(a, b), a, b));
    case ExprOp::kMax:
      return made(builder_.CreateSelect(is_float ? builder_.CreateFCmpOGT(a, b) : builder_.CreateICmpSGT(a, b), a, b));
    case ExprOp::kLess:
      return made(is_float ? builder_.CreateFCmpOLT(a, b) : builder_.CreateICmpSLT(a, b));
    case ExprOp::kLessEqual:
      return made(is_float ? builder_.CreateFCmpOLE(a, b) : builder_.CreateICmpSLE(a, b));
    case ExprOp::kEqual:
      return made(is_float ? builder_.CreateFCmpOEQ(a, b) : builder_.CreateICmpEQ(a, b));
    case ExprOp::kAnd:
      return made(builder_.CreateAnd(a, b));
    case ExprOp::kOr:
      return made(builder_.CreateOr(a, b));
    default:
      return absl::InvalidArgumentError("unknown binary operation");
  }
}

StatusOr<FunctionEmitter::Lanes> FunctionEmitter::EvalUnary(const Expr& e) {
  TILTH_ASSIGN_OR_RETURN(Lanes x, Eval(e->args[0]));
  llvm::Value* v = x.value;
  auto made = [&](llvm::Value* value) { return Lanes{value, x.vector}; };
  auto intrinsic = [&](llvm::Intrinsic::ID id) { return made(builder_.CreateUnaryIntrinsic(id, v)); };
  const bool is_float = IsFloat(e->args[0]->dtype);
  if (e->op == ExprOp::kNot) return made(builder_.CreateNot(v));
  if (e->op == ExprOp::kNeg) return made(is_float ? builder_.CreateFNeg(v) : builder_.CreateNeg(v));
  if (e->op == ExprOp::kAbs)
    return is_float ? intrinsic(llvm::Intrinsic::fabs)
                    : made(builder_.CreateBinaryIntrinsic(llvm::Intrinsic::abs, v, builder_.getFalse()));
  if (!is_float) return absl::InvalidArgumentError("a float function on integers");
  switch (e->op) {
    case ExprOp::kExp:
      return made(EmitExp(builder_, v));
    case ExprOp::kLog:
      return made(EmitLog(builder_, v));
    case ExprOp::kSqrt:
      return intrinsic(llvm::Intrinsic::sqrt);
    case ExprOp::kTanh:
      return made(EmitTanh(builder_, v));
    case ExprOp::kErf:
      return made(EmitErf(builder_, v));
    case ExprOp::kSigmoid:
      return made(EmitSigmoid(builder_, v));
    case ExprOp::kFloor:
      return intrinsic(llvm::Intrinsic::floor);
    case ExprOp::kCeil:
      return intrinsic(llvm::Intrinsic::ceil);
    case ExprOp::kRound:
      return intrinsic(llvm::Intrinsic::rint);
    default:
      return absl::InvalidArgumentError("unknown unary operation");
  }
}

StatusOr<FunctionEmitter::Lanes> FunctionEmitter::EvalSelect(const Expr& e) {
  TILTH_ASSIGN_OR_RETURN(Lanes condition, Eval(e->args[0]));
  if (auto* constant = llvm::dyn_cast<llvm::ConstantInt>(condition.value))
    return Eval(e->args[constant->isOne() ? 1 : 2]);
  const std::optional<Lanes> outer = guard_;
  auto guarded = [&](const Expr& side, bool when) -> StatusOr<Lanes> {
    if (!ContainsLoad(side)) return Eval(side);
    Lanes own{when ? condition.value : builder_.CreateNot(condition.value), condition.vector};
    if (outer) {
      const bool vector = own.vector || outer->vector;
      own = Lanes{builder_.CreateAnd(vector ? Splat(*outer) : outer->value, vector ? Splat(own) : own.value), vector};
    }
    guard_ = own;
    StatusOr<Lanes> value = Eval(side);
    guard_ = outer;
    return value;
  };
  TILTH_ASSIGN_OR_RETURN(Lanes if_true, guarded(e->args[1], true));
  TILTH_ASSIGN_OR_RETURN(Lanes if_false, guarded(e->args[2], false));
  const bool vector = condition.vector || if_true.vector || if_false.vector;
  llvm::Value* a = vector ? Splat(if_true) : if_true.value;
  llvm::Value* b = vector ? Splat(if_false) : if_false.value;
  return Lanes{builder_.CreateSelect(condition.value, a, b), vector};
}

StatusOr<FunctionEmitter::Lanes> FunctionEmitter::EvalCast(const Expr& e) {
  TILTH_ASSIGN_OR_RETURN(Lanes x, Eval(e->args[0]));
  const DType from = e->args[0]->dtype;
  auto type = [&](llvm::Type* scalar) -> llvm::Type* {
    return x.vector ? llvm::FixedVectorType::get(scalar, vector_->lanes) : scalar;
  };
  llvm::Value* zero = llvm::Constant::getNullValue(x.value->getType());
  if (e->dtype == DType::kBool) {
    if (from == DType::kBool) return x;
    return Lanes{IsFloat(from) ? builder_.CreateFCmpUNE(x.value, zero) : builder_.CreateICmpNE(x.value, zero),
                 x.vector};
  }
  if (IsFloat(e->dtype)) {
    if (IsFloat(from)) return x;
    llvm::Type* to = type(builder_.getFloatTy());
    return Lanes{from == DType::kBool ? builder_.CreateUIToFP(x.value, to) : builder_.CreateSIToFP(x.value, to),
                 x.vector};
  }
  llvm::Type* wide = type(builder_.getInt64Ty());
  llvm::Value* integer = IsFloat(from)          ? builder_.CreateFPToSI(x.value, wide)
                         : from == DType::kBool ? builder_.CreateZExt(x.value, wide)
                                                : x.value;
  const int64_t bits = SizeInBytes(e->dtype) * 8;
  if (bits < 64) {
    llvm::Type* narrow = type(builder_.getIntNTy(bits));
    integer = builder_.CreateSExt(builder_.CreateTrunc(integer, narrow), wide);
  }
  return Lanes{integer, x.vector};
}

StatusOr<FunctionEmitter::Lanes> FunctionEmitter::EvalLoad(const Expr& e) {
  const LoopBuffer& buffer = program_.buffers[e->id];
  if (buffer.scope == BufferScope::kRegister) return EvalRegisterLoad(e);
  const Expr& index = e->args[0];
  if (!vector_ || !UsesVariable(index, vector_->var)) {
    if (guard_ && guard_->vector) return LoadLanes(e->id, index);
    TILTH_ASSIGN_OR_RETURN(llvm::Value * value, LoadScalar(e->id, index, guard_ ? guard_->value : nullptr));
    return Lanes{value};
  }
  TILTH_ASSIGN_OR_RETURN(Address address, SplitAddress(index));
  if (!address.affine || address.lane_stride != 1) {
    TILTH_ASSIGN_OR_RETURN(const std::optional<Lanes> shuffled, ShuffledLoad(e));
    return shuffled ? *shuffled : LoadLanes(e->id, index);
  }
  TILTH_ASSIGN_OR_RETURN(llvm::Value * pointer, Pointer(e->id, address));
  llvm::Type* type = llvm::FixedVectorType::get(ElementType(buffer.dtype), vector_->lanes);
  llvm::Align align(SizeInBytes(buffer.dtype));
  const bool in_slack = buffer.slack_elements >= vector_->lanes;
  llvm::Instruction* load;
  if (!guard_ && (!vector_->Masked() || in_slack)) {
    load = builder_.CreateAlignedLoad(type, pointer, align);
  } else {
    llvm::Value* mask = LaneMask();
    if (guard_) mask = vector_->Masked() ? builder_.CreateAnd(mask, Splat(*guard_)) : Splat(*guard_);
    load = builder_.CreateMaskedLoad(type, pointer, align, mask, llvm::Constant::getNullValue(type));
  }
  MarkAlias(load, e->id);
  return Lanes{FromMemory(load, buffer.dtype), true};
}

StatusOr<llvm::Value*> FunctionEmitter::LoadScalar(int buffer, const Expr& index, llvm::Value* guard) {
  TILTH_ASSIGN_OR_RETURN(Address address, SplitAddress(index));
  const DType dtype = program_.buffers[buffer].dtype;
  TILTH_ASSIGN_OR_RETURN(llvm::Value * pointer, Pointer(buffer, address));
  // Element 0 always exists: a guarded load that must not happen reads that instead of branching.
  if (guard) pointer = builder_.CreateSelect(guard, pointer, bases_[buffer]);
  llvm::LoadInst* load = builder_.CreateAlignedLoad(ElementType(dtype), pointer, llvm::Align(SizeInBytes(dtype)));
  MarkAlias(load, buffer);
  return FromMemory(load, dtype);
}

StatusOr<FunctionEmitter::Lanes> FunctionEmitter::LoadLanes(int buffer, const Expr& index) {
  const VectorLoop loop = *vector_;
  const Variable saved = variables_[loop.var];
  const std::optional<Lanes> guard = guard_;
  llvm::Value* lanes = nullptr;
  Status status;
  for (int64_t lane = 0; lane < loop.extent && status.ok(); ++lane) {
    vector_.reset();
    guard_.reset();
    variables_[loop.var] = {.value = nullptr, .constant = lane, .scope = 0};
    llvm::Value* own_guard = nullptr;
    if (guard) own_guard = guard->vector ? builder_.CreateExtractElement(guard->value, lane) : guard->value;
    StatusOr<llvm::Value*> element = LoadScalar(buffer, index, own_guard);
    if (!element.ok()) {
      status = element.status();
      break;
    }
    if (!lanes) lanes = llvm::Constant::getNullValue(llvm::FixedVectorType::get((*element)->getType(), loop.lanes));
    lanes = builder_.CreateInsertElement(lanes, *element, lane);
  }
  vector_ = loop;
  guard_ = guard;
  variables_[loop.var] = saved;
  TILTH_RETURN_IF_ERROR(status);
  return Lanes{lanes, true};
}

}  // namespace tilth
