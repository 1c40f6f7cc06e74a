// Validate: whether a workload that came from outside can be trusted by the compiler and the interpreter.
#include <limits>
#include <utility>

#include "base/strings.h"
#include "ir/workload.h"

namespace tilth {
namespace {

constexpr int64_t kMaxElements = int64_t{1} << 40;  // of one tensor or iteration space
constexpr int64_t kMaxIndex = int64_t{1} << 62;

// What an enclosing select has established: low <= sum of coefficient * index <= high.
struct Bound {
  std::vector<int64_t> coefficients;
  int64_t low = -kMaxIndex;
  int64_t high = kMaxIndex;
};

Status CheckExtents(const std::vector<int64_t>& extents, std::string_view what) {
  int64_t elements = 1;
  for (int64_t extent : extents) {
    if (extent < 1) return absl::InvalidArgumentError(StrCat(what, " has extent ", extent, "; extents are at least 1"));
    if (__builtin_mul_overflow(elements, extent, &elements) || elements > kMaxElements) {
      return absl::InvalidArgumentError(StrCat(what, " has more than 2^40 elements"));
    }
  }
  return absl::OkStatus();
}

class StageValidator {
 public:
  StageValidator(const Workload& workload, const Stage& stage, const std::vector<bool>& written)
      : workload_(workload), stage_(stage), written_(written) {
    for (const Axis& axis : stage.axes) extents_.push_back(axis.extent);
    for (const Axis& axis : stage.reduce_axes) extents_.push_back(axis.extent);
  }

  Status Validate() {
    const int num_tensors = static_cast<int>(workload_.tensors.size());
    if (stage_.output < 0 || stage_.output >= num_tensors)
      return absl::InvalidArgumentError("writes no declared tensor");
    const Tensor& output = workload_.tensors[stage_.output];
    if (output.role != TensorRole::kOutput && output.role != TensorRole::kTemporary) {
      return absl::InvalidArgumentError(StrCat("writes ", output.name, ", which is not an output or temporary"));
    }
    TILTH_RETURN_IF_ERROR(CheckExtents(extents_, "its iteration space"));
    if (stage_.reduce_axes.empty() != (stage_.reduction == Reduction::kNone)) {
      return absl::InvalidArgumentError("has a reduction without reduce axes, or the other way round");
    }
    const int num_axes = static_cast<int>(stage_.axes.size());
    TILTH_RETURN_IF_ERROR(CheckIndices(output, stage_.output_index, num_axes, {}));
    for (const Expr& index : stage_.output_index) {
      if (!AsAffine(index, num_axes))
        return absl::InvalidArgumentError("stores at an index that is not affine in its axes");
    }
    if (IsFloat(stage_.value->dtype) != IsFloat(output.dtype) ||
        (stage_.value->dtype == DType::kBool) != (output.dtype == DType::kBool)) {
      return absl::InvalidArgumentError(StrCat("has a value of another type than ", output.name));
    }
    return CheckExpr(stage_.value, static_cast<int>(extents_.size()), {});
  }

 private:
  Status CheckExpr(const Expr& e, int num_indices, const std::vector<Bound>& bounds) {
    if (e->op == ExprOp::kIndex && (e->id < 0 || e->id >= num_indices)) {
      return absl::InvalidArgumentError(StrCat("uses axis ", e->id, ", which it does not have"));
    }
    if (e->op == ExprOp::kSelect) {
      TILTH_RETURN_IF_ERROR(CheckExpr(e->args[0], num_indices, bounds));
      std::vector<Bound> inner = bounds;
      AddBounds(e->args[0], num_indices, &inner);
      TILTH_RETURN_IF_ERROR(CheckExpr(e->args[1], num_indices, inner));
      // What holds when the condition is false is not worth tracking: such loads are checked when they run.
      const bool outer = std::exchange(guarded_, true);
      const Status status = CheckExpr(e->args[2], num_indices, bounds);
      guarded_ = outer;
      return status;
    }
    for (const Expr& arg : e->args) TILTH_RETURN_IF_ERROR(CheckExpr(arg, num_indices, bounds));
    if (e->op != ExprOp::kLoad) return absl::OkStatus();
    if (e->id < 0 || e->id >= static_cast<int>(workload_.tensors.size())) {
      return absl::InvalidArgumentError("loads a tensor that is not declared");
    }
    const Tensor& tensor = workload_.tensors[e->id];
    if (!written_[e->id]) return absl::InvalidArgumentError(StrCat("reads ", tensor.name, " before it is written"));
    return CheckIndices(tensor, e->args, num_indices, bounds);
  }

  Status CheckIndices(const Tensor& tensor, const std::vector<Expr>& indices, int num_indices,
                      const std::vector<Bound>& bounds) {
    if (indices.size() != tensor.shape.size()) {
      return absl::InvalidArgumentError(
          StrCat("indexes ", tensor.name, " with ", indices.size(), " dimensions; it has ", tensor.shape.size()));
    }
    for (size_t d = 0; d < indices.size(); ++d) {
      const auto affine = AsAffine(indices[d], num_indices);
      if (!affine || guarded_) continue;
      const auto [low, high] = Range(*affine, bounds);
      if (low < 0 || high >= tensor.shape[d]) {
        return absl::InvalidArgumentError(StrCat("indexes dimension ", d, " of ", tensor.name, " from ", low, " to ",
                                                 high, "; its extent is ", tensor.shape[d]));
      }
    }
    return absl::OkStatus();
  }

  std::pair<int64_t, int64_t> Range(const Affine& affine, const std::vector<Bound>& bounds) const {
    __int128 low = 0, high = 0;
    for (size_t i = 0; i < affine.coefficients.size(); ++i) {
      const __int128 reach = static_cast<__int128>(affine.coefficients[i]) * (extents_[i] - 1);
      (reach < 0 ? low : high) += reach;
    }
    for (const Bound& bound : bounds) {
      if (bound.coefficients != affine.coefficients) continue;
      low = std::max<__int128>(low, bound.low);
      high = std::min<__int128>(high, bound.high);
    }
    low = std::max<__int128>(low + affine.constant, -kMaxIndex);
    high = std::min<__int128>(high + affine.constant, kMaxIndex);
    return {static_cast<int64_t>(low), static_cast<int64_t>(high)};
  }

  void AddBounds(const Expr& condition, int num_indices, std::vector<Bound>* bounds) const {
    if (condition->op == ExprOp::kAnd) {
      for (const Expr& arg : condition->args) AddBounds(arg, num_indices, bounds);
      return;
    }
    if (condition->op != ExprOp::kLess && condition->op != ExprOp::kLessEqual) return;
    const auto a = AsAffine(condition->args[0], num_indices), b = AsAffine(condition->args[1], num_indices);
    if (!a || !b) return;
    // a <= b - strict, so a - b <= -strict, and b - a >= strict.
    const int64_t strict = condition->op == ExprOp::kLess ? 1 : 0;
    Bound upper, lower;
    int64_t shift = 0;
    if (__builtin_sub_overflow(b->constant, a->constant, &shift) || shift < -kMaxIndex || shift > kMaxIndex) return;
    for (int i = 0; i < num_indices; ++i) {
      int64_t difference = 0;
      if (__builtin_sub_overflow(a->coefficients[i], b->coefficients[i], &difference) ||
          difference == std::numeric_limits<int64_t>::min()) {
        return;
      }
      upper.coefficients.push_back(difference);
      lower.coefficients.push_back(-difference);
    }
    upper.high = shift - strict;
    lower.low = strict - shift;
    bounds->push_back(std::move(upper));
    bounds->push_back(std::move(lower));
  }

  const Workload& workload_;
  const Stage& stage_;
  const std::vector<bool>& written_;
  std::vector<int64_t> extents_;
  bool guarded_ = false;  // inside the other side of a select
};

}  // namespace

Status Validate(const Workload& workload) {
  std::vector<bool> written;
  for (const Tensor& tensor : workload.tensors) {
    TILTH_RETURN_IF_ERROR(CheckExtents(tensor.shape, StrCat("tensor ", tensor.name)));
    written.push_back(tensor.role == TensorRole::kInput || tensor.role == TensorRole::kConstant);
  }
  if (workload.stages.empty()) return absl::InvalidArgumentError("the workload has no stages");
  for (size_t s = 0; s < workload.stages.size(); ++s) {
    TILTH_RETURN_IF_ERROR(StageValidator(workload, workload.stages[s], written).Validate(), "stage ", s);
    written[workload.stages[s].output] = true;
  }
  for (size_t t = 0; t < workload.tensors.size(); ++t) {
    if (!written[t])
      return absl::InvalidArgumentError(StrCat("tensor ", workload.tensors[t].name, " is never written"));
  }
  return absl::OkStatus();
}

}  // namespace tilth
