// Compiles expressions to lane programs; lane_program_run.cc executes them.
#include <algorithm>

#include "base/strings.h"
#include "ir/lane_program.h"

namespace tilth {
namespace {

bool MayFail(const Expr& e) {
  bool may_fail = false;
  expr::Visit(e, [&](const ExprNode& node) {
    may_fail |= node.op == ExprOp::kLoad || node.op == ExprOp::kFloorDiv || node.op == ExprOp::kMod;
  });
  return may_fail;
}
}  // namespace

Status LaneProgram::Compile(const Expr& e) {
  result_is_float_ = IsFloat(e->dtype);
  TILTH_ASSIGN_OR_RETURN(result_, CompileOnce(e, -1));
  return absl::OkStatus();
}

int LaneProgram::AddForm(Affine affine) {
  for (size_t i = 0; i < forms_.size(); ++i) {
    if (forms_[i].affine == affine) return static_cast<int>(i);
  }
  const int64_t stride = lane_axis_ < 0 ? 0 : affine.coefficients[lane_axis_];
  forms_.push_back({std::move(affine), 0, stride});
  return static_cast<int>(forms_.size()) - 1;
}

int LaneProgram::NewFloat(double fill) {
  floats_.emplace_back(kLanes, fill);
  return static_cast<int>(floats_.size()) - 1;
}

int LaneProgram::NewInteger(int64_t fill) {
  integers_.emplace_back(kLanes, fill);
  return static_cast<int>(integers_.size()) - 1;
}

StatusOr<int> LaneProgram::CompileOnce(const Expr& e, int mask) {
  const auto key = std::make_pair(e.get(), mask);
  if (const auto found = compiled_.find(key); found != compiled_.end()) return found->second;
  TILTH_ASSIGN_OR_RETURN(const int result, CompileNew(e, mask));
  compiled_[key] = result;
  return result;
}

StatusOr<int> LaneProgram::CompileNew(const Expr& e, int mask) {
  if (e->op == ExprOp::kConst) return IsFloat(e->dtype) ? NewFloat(e->number) : NewInteger(e->integer);
  Instruction instruction{
      .op = e->op, .is_float = IsFloat(e->dtype), .dtype = e->dtype, .mask = mask, .dimensions = {}};
  if (auto affine = AsAffine(e, num_indices_)) {
    instruction.op = ExprOp::kIndex;
    instruction.a = AddForm(std::move(*affine));
  } else if (e->op == ExprOp::kIndex) {
    return absl::InvalidArgumentError(StrCat("axis ", e->id, " does not exist"));
  } else if (e->op == ExprOp::kLoad) {
    TILTH_RETURN_IF_ERROR(CompileLoad(e, mask, &instruction));
  } else if (e->op == ExprOp::kSelect) {
    TILTH_RETURN_IF_ERROR(CompileSelect(e, mask, &instruction));
  } else {
    instruction.is_float = IsFloat(e->args[0]->dtype);
    TILTH_ASSIGN_OR_RETURN(instruction.a, CompileOnce(e->args[0], mask));
    if (e->args.size() > 1) {
      TILTH_ASSIGN_OR_RETURN(instruction.b, CompileOnce(e->args[1], mask));
    }
  }
  instruction.result = IsFloat(e->dtype) ? NewFloat(0) : NewInteger(0);
  program_.push_back(std::move(instruction));
  return program_.back().result;
}

Status LaneProgram::CompileLoad(const Expr& e, int mask, Instruction* load) {
  const TensorValue* tensor = e->id >= 0 && e->id < static_cast<int>(values_.size()) ? values_[e->id] : nullptr;
  if (tensor == nullptr) return absl::InvalidArgumentError(StrCat("loads tensor ", e->id, ", which has no value"));
  if (e->args.size() != tensor->shape.size()) {
    return absl::InvalidArgumentError(
        StrCat("loads tensor ", e->id, " with ", e->args.size(), " indices; it has rank ", tensor->shape.size()));
  }
  load->tensor = e->id;
  load->dtype = tensor->dtype;
  for (const Expr& index : e->args) {
    if (auto affine = AsAffine(index, num_indices_)) {
      load->dimensions.push_back(AddForm(std::move(*affine)));
    } else {
      TILTH_ASSIGN_OR_RETURN(const int number, CompileOnce(index, mask));
      load->dimensions.push_back(~number);
    }
  }
  return absl::OkStatus();
}

Status LaneProgram::CompileSelect(const Expr& e, int mask, Instruction* select) {
  TILTH_ASSIGN_OR_RETURN(select->a, CompileOnce(e->args[0], mask));
  int if_true = mask, if_false = mask;
  if (MayFail(e->args[1])) if_true = mask < 0 ? select->a : EmitMask(ExprOp::kAnd, mask, select->a);
  if (MayFail(e->args[2])) {
    if_false = EmitMask(ExprOp::kNot, select->a, -1);
    if (mask >= 0) if_false = EmitMask(ExprOp::kAnd, mask, if_false);
  }
  TILTH_ASSIGN_OR_RETURN(select->b, CompileOnce(e->args[1], if_true));
  TILTH_ASSIGN_OR_RETURN(select->c, CompileOnce(e->args[2], if_false));
  return absl::OkStatus();
}

int LaneProgram::EmitMask(ExprOp op, int a, int b) {
  const int result = NewInteger(0);
  program_.push_back({.op = op, .dtype = DType::kBool, .result = result, .a = a, .b = b, .dimensions = {}});
  return result;
}

void LaneProgram::SetPoint(const std::vector<int64_t>& point) {
  for (Form& form : forms_) {
    int64_t base = form.affine.constant;
    for (int i = 0; i < num_indices_; ++i) base += form.affine.coefficients[i] * point[i];
    form.base = base;
  }
}
}  // namespace tilth
