#include "ir/interpreter.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "absl/strings/str_join.h"
#include "base/strings.h"
#include "ir/lane_program.h"

namespace tilth {
namespace {

// Integers do not go through double, which holds only 53 bits of them.
void SetElement(TensorValue* value, int64_t at, int64_t integer) {
  const auto put = [&](auto element) {
    std::memcpy(value->bytes.data() + at * sizeof(element), &element, sizeof(element));
  };
  switch (value->dtype) {
    case DType::kI64:
      return put(integer);
    case DType::kI32:
      return put(static_cast<int32_t>(integer));
    case DType::kI8:
      return put(static_cast<int8_t>(integer));
    case DType::kBool:
      return put(static_cast<uint8_t>(integer != 0));
    default:
      return value->Set(at, static_cast<double>(integer));
  }
}

void SetElement(TensorValue* value, int64_t at, double number) { value->Set(at, number); }

class StageRunner {
 public:
  StageRunner(const Stage& stage, const std::vector<const TensorValue*>& values, TensorValue* output)
      : stage_(stage),
        num_axes_(static_cast<int>(stage.axes.size())),
        num_indices_(num_axes_ + static_cast<int>(stage.reduce_axes.size())),
        output_(output),
        extents_(Extents(stage)),
        point_(extents_.size(), 0),
        lane_axis_(ChooseLaneAxis()),
        program_(num_indices_, lane_axis_, values) {}

  Status Run() {
    if (stage_.output_index.size() != output_->shape.size()) {
      return absl::InvalidArgumentError("the output index has another rank than the output");
    }
    for (const Expr& index : stage_.output_index) {
      auto affine = AsAffine(index, num_indices_);
      if (!affine) return absl::InvalidArgumentError("the output index is not affine");
      output_forms_.push_back(program_.AddForm(std::move(*affine)));
    }
    TILTH_RETURN_IF_ERROR(program_.Compile(stage_.value));
    const bool lane_is_reduced = lane_axis_ >= num_axes_;
    do {
      const int64_t extent = lane_axis_ < 0 || lane_is_reduced ? 1 : extents_[lane_axis_];
      for (int64_t start = 0; start < extent; start += LaneProgram::kLanes) {
        const int lanes = static_cast<int>(std::min<int64_t>(LaneProgram::kLanes, extent - start));
        if (!lane_is_reduced && lane_axis_ >= 0) point_[lane_axis_] = start;
        TILTH_RETURN_IF_ERROR(program_.result_is_float() ? RunBlock<double>(lanes) : RunBlock<int64_t>(lanes));
      }
      if (lane_axis_ >= 0) point_[lane_axis_] = 0;
    } while (NextPoint(0, num_axes_));
    return absl::OkStatus();
  }

 private:
  static std::vector<int64_t> Extents(const Stage& stage) {
    std::vector<int64_t> extents;
    for (const Axis& axis : stage.axes) extents.push_back(axis.extent);
    for (const Axis& axis : stage.reduce_axes) extents.push_back(axis.extent);
    return extents;
  }

  int Longest(int begin, int end) const {
    int longest = -1;
    for (int i = begin; i < end; ++i) {
      if (longest < 0 || extents_[i] >= extents_[longest]) longest = i;
    }
    return longest;
  }

  // The longest spatial axis, or the longest reduced one where all spatial axes are short.
  int ChooseLaneAxis() const {
    const int spatial = Longest(0, num_axes_), reduced = Longest(num_axes_, num_indices_);
    if (reduced < 0) return spatial;
    return spatial < 0 || (extents_[spatial] < 16 && extents_[reduced] > extents_[spatial]) ? reduced : spatial;
  }

  // Advances the axes [begin, end) except the lane axis like an odometer; false after the last point, all at 0 again.
  bool NextPoint(int begin, int end) {
    for (int i = end - 1; i >= begin; --i) {
      if (i == lane_axis_) continue;
      if (++point_[i] < extents_[i]) return true;
      point_[i] = 0;
    }
    return false;
  }

  template <typename T>
  const std::vector<T>& Result() const {
    if constexpr (std::is_same_v<T, double>) {
      return program_.float_result();
    } else {
      return program_.integer_result();
    }
  }

  // Computes and stores `lanes` outputs along a spatial lane axis, or one where the lane axis is reduced.
  template <typename T>
  Status RunBlock(int lanes) {
    if (stage_.reduction == Reduction::kNone) {
      program_.SetPoint(point_);
      TILTH_RETURN_IF_ERROR(program_.Evaluate(lanes));
      return Store(Result<T>(), lanes);
    }
    std::vector<T> sums(lanes, Neutral<T>());
    const bool lane_is_reduced = lane_axis_ >= num_axes_;
    const int64_t extent = lane_is_reduced ? extents_[lane_axis_] : 1;
    do {
      for (int64_t start = 0; start < extent; start += LaneProgram::kLanes) {
        if (lane_is_reduced) point_[lane_axis_] = start;
        const int wide =
            lane_is_reduced ? static_cast<int>(std::min<int64_t>(LaneProgram::kLanes, extent - start)) : lanes;
        program_.SetPoint(point_);
        TILTH_RETURN_IF_ERROR(program_.Evaluate(wide));
        Accumulate(Result<T>(), wide, lane_is_reduced ? 0 : 1, sums.data());
      }
    } while (NextPoint(num_axes_, num_indices_));
    return Store(sums, lanes);
  }

  template <typename T>
  T Neutral() const {
    using Limits = std::numeric_limits<T>;
    switch (stage_.reduction) {
      case Reduction::kProd:
        return 1;
      case Reduction::kMax:
        return Limits::has_infinity ? -Limits::infinity() : Limits::min();
      case Reduction::kMin:
        return Limits::has_infinity ? Limits::infinity() : Limits::max();
      default:
        return 0;
    }
  }

  // sums[i * stride] takes element i.
  template <typename T>
  void Accumulate(const std::vector<T>& values, int lanes, int stride, T* sums) const {
    for (int i = 0; i < lanes; ++i) {
      T& sum = sums[i * stride];
      switch (stage_.reduction) {
        case Reduction::kMax:
          sum = values[i] > sum || values[i] != values[i] ? values[i] : sum;
          break;
        case Reduction::kMin:
          sum = values[i] < sum || values[i] != values[i] ? values[i] : sum;
          break;
        case Reduction::kProd:
          sum *= values[i];
          break;
        default:
          sum += values[i];
      }
    }
  }

  template <typename T>
  Status Store(const std::vector<T>& values, int lanes) {
    int64_t flat = 0, step = 0;
    program_.SetPoint(point_);
    for (size_t d = 0; d < output_forms_.size(); ++d) {
      const LaneProgram::Form& form = program_.form(output_forms_[d]);
      const int64_t stride = lanes == 1 ? 0 : form.stride, extent = output_->shape[d];
      const int64_t last = form.base + stride * (lanes - 1);
      if (std::min(form.base, last) < 0 || std::max(form.base, last) >= extent) {
        return absl::OutOfRangeError(StrCat("stores out of bounds in dimension ", d));
      }
      flat = flat * extent + form.base;
      step = step * extent + stride;
    }
    for (int i = 0; i < lanes; ++i) SetElement(output_, flat + step * i, values[i]);
    return absl::OkStatus();
  }

  const Stage& stage_;
  const int num_axes_;
  const int num_indices_;
  TensorValue* output_;
  const std::vector<int64_t> extents_;
  std::vector<int64_t> point_;
  const int lane_axis_;
  LaneProgram program_;
  std::vector<int> output_forms_;
};

}  // namespace

Status InterpretStage(const Stage& stage, const std::vector<const TensorValue*>& values, TensorValue* output) {
  return StageRunner(stage, values, output).Run();
}

Status Interpret(const Workload& workload, std::vector<TensorValue>* values) {
  if (values->size() != workload.tensors.size()) {
    return absl::InvalidArgumentError(
        StrCat("the workload has ", workload.tensors.size(), " tensors, but ", values->size(), " values were given"));
  }
  std::vector<const TensorValue*> available(values->size(), nullptr);
  for (size_t t = 0; t < values->size(); ++t) {
    const Tensor& tensor = workload.tensors[t];
    TensorValue& value = (*values)[t];
    if (tensor.role == TensorRole::kOutput || tensor.role == TensorRole::kTemporary) {
      value = ZeroValue(tensor.dtype, tensor.shape);
      continue;
    }
    if (value.dtype != tensor.dtype || value.shape != tensor.shape) {
      return absl::InvalidArgumentError(StrCat("tensor ", tensor.name, " must be ", ToString(tensor.dtype), "[",
                                               absl::StrJoin(tensor.shape, ","), "], got ", ToString(value.dtype), "[",
                                               absl::StrJoin(value.shape, ","), "]"));
    }
    available[t] = &value;
  }
  for (size_t s = 0; s < workload.stages.size(); ++s) {
    const Stage& stage = workload.stages[s];
    TILTH_RETURN_IF_ERROR(InterpretStage(stage, available, &(*values)[stage.output]), "stage ", s, " of ",
                          workload.name);
    available[stage.output] = &(*values)[stage.output];
  }
  return absl::OkStatus();
}

}  // namespace tilth
