// Operators that only rename, reshape or describe: after import nothing of them is left but aliases and constants.
#include <algorithm>
#include <cmath>
#include <cstring>

#include <onnx/onnx_pb.h>

#include "compiler/onnx/op_context.h"
#include "compiler/onnx/registry.h"
#include "compiler/onnx/tensor_proto.h"

namespace tilth {
namespace {

Status ImportIdentity(OpContext& op) {
  TILTH_ASSIGN_OR_RETURN(const int x, op.Input(0));
  op.SetOutput(0, x);
  return absl::OkStatus();
}

Status ImportDropout(OpContext& op) {
  TILTH_ASSIGN_OR_RETURN(const int x, op.Input(0));
  for (std::string_view unused : {"ratio", "is_test", "seed"}) op.Ignore(unused);
  if (op.HasInput(2)) {
    TILTH_ASSIGN_OR_RETURN(const auto training, op.ConstantInts(2));
    if (!training.empty() && training[0] != 0) return op.Error("training_mode is not supported");
  }
  op.SetOutput(0, x);
  if (op.WantsOutput(1)) {
    TensorValue mask = ZeroValue(DType::kBool, op.Shape(x));
    std::fill(mask.bytes.begin(), mask.bytes.end(), 1);
    op.SetOutput(1, op.NewConstant(std::move(mask)));
  }
  return absl::OkStatus();
}

Status ImportConstant(OpContext& op) {
  if (const onnx::AttributeProto* value = op.Attribute("value")) {
    TILTH_ASSIGN_OR_RETURN(TensorValue tensor, FromTensorProto(value->t()));
    op.SetOutput(0, op.NewConstant(std::move(tensor)));
  } else if (op.HasAttribute("value_float")) {
    op.SetOutput(0, op.NewConstant(DType::kF32, {}, {op.Float("value_float", 0)}));
  } else if (op.HasAttribute("value_int")) {
    op.SetOutput(0, op.NewConstant(DType::kI64, {}, {static_cast<double>(op.Int("value_int", 0))}));
  } else if (op.HasAttribute("value_ints")) {
    const std::vector<int64_t> ints = op.Ints("value_ints", {});
    const std::vector<double> values(ints.begin(), ints.end());
    op.SetOutput(0, op.NewConstant(DType::kI64, {static_cast<int64_t>(ints.size())}, values));
  } else if (const onnx::AttributeProto* floats = op.Attribute("value_floats")) {
    const std::vector<double> values(floats->floats().begin(), floats->floats().end());
    op.SetOutput(0, op.NewConstant(DType::kF32, {static_cast<int64_t>(values.size())}, values));
  } else {
    return op.Error("it has none of the supported attributes value, value_float, value_floats, value_int, value_ints");
  }
  return absl::OkStatus();
}

// A folded constant of `shape`, guarded against absurd sizes before memory is taken.
StatusOr<TensorValue> MakeConstant(const OpContext& op, DType dtype, Extents shape) {
  TILTH_ASSIGN_OR_RETURN(const int64_t elements, CountElements(shape));
  if (elements > (int64_t{1} << 28)) return op.Error("a constant would have more than 2^28 elements");
  return ZeroValue(dtype, std::move(shape));
}

Status ImportConstantOfShape(OpContext& op) {
  TILTH_ASSIGN_OR_RETURN(const Extents shape, op.ConstantInts(0));
  TensorValue fill = ZeroValue(DType::kF32, {1});
  if (const onnx::AttributeProto* value = op.Attribute("value")) {
    TILTH_ASSIGN_OR_RETURN(fill, FromTensorProto(value->t()));
    if (NumElements(fill.shape) != 1) return op.Error("value must have one element");
  }
  TILTH_ASSIGN_OR_RETURN(TensorValue result, MakeConstant(op, fill.dtype, shape));
  const size_t size = fill.bytes.size();
  for (size_t at = 0; at < result.bytes.size(); at += size)
    std::memcpy(result.bytes.data() + at, fill.bytes.data(), size);
  op.SetOutput(0, op.NewConstant(std::move(result)));
  return absl::OkStatus();
}

Status ImportRange(OpContext& op) {
  double limits[3];
  DType dtype = DType::kI64;
  for (int i = 0; i < 3; ++i) {
    TILTH_ASSIGN_OR_RETURN(const int input, op.Input(i));
    const TensorValue* value = op.Constant(input);
    if (value == nullptr || NumElements(value->shape) != 1) return op.Error("its inputs must be constant scalars");
    limits[i] = value->Get(0);
    dtype = value->dtype;
  }
  const double count = std::ceil((limits[1] - limits[0]) / limits[2]);
  if (!(count >= 0 && count < 1e8)) return op.Error("it would make ", count, " elements");
  TensorValue result = ZeroValue(dtype, {static_cast<int64_t>(count)});
  for (int64_t i = 0; i < result.shape[0]; ++i) result.Set(i, limits[0] + static_cast<double>(i) * limits[2]);
  op.SetOutput(0, op.NewConstant(std::move(result)));
  return absl::OkStatus();
}

Status ImportShape(OpContext& op) {
  TILTH_ASSIGN_OR_RETURN(const int x, op.Input(0));
  const Extents& shape = op.Shape(x);
  const int64_t rank = static_cast<int64_t>(shape.size());
  const auto clamp = [&](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + rank : at, 0, rank); };
  const int64_t begin = clamp(op.Int("start", 0)), end = std::max(begin, clamp(op.Int("end", rank)));
  const std::vector<double> values(shape.begin() + begin, shape.begin() + end);
  op.SetOutput(0, op.NewConstant(DType::kI64, {end - begin}, values));
  return absl::OkStatus();
}

Status ImportSize(OpContext& op) {
  TILTH_ASSIGN_OR_RETURN(const int x, op.Input(0));
  op.SetOutput(0, op.NewConstant(DType::kI64, {}, {static_cast<double>(NumElements(op.Shape(x)))}));
  return absl::OkStatus();
}

Status Reshape(OpContext& op, int x, Extents shape) {
  TILTH_ASSIGN_OR_RETURN(const int y, op.AddReshape(x, std::move(shape)));
  op.SetOutput(0, y);
  return absl::OkStatus();
}

Status ImportReshape(OpContext& op) {
  TILTH_ASSIGN_OR_RETURN(const int x, op.Input(0));
  TILTH_ASSIGN_OR_RETURN(Extents shape, op.ConstantInts(1));
  const bool allow_zero = op.Int("allowzero", 0) != 0;
  int64_t known = 1;
  int inferred = -1;
  for (size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] == 0 && !allow_zero) {
      if (static_cast<int>(d) >= op.Rank(x))
        return op.Error("dimension ", d, " of the new shape is copied, but the input has none");
      shape[d] = op.Shape(x)[d];
    }
    if (shape[d] == -1) {
      if (inferred >= 0) return op.Error("the new shape has more than one -1");
      inferred = static_cast<int>(d);
    } else if (shape[d] < 0 || __builtin_mul_overflow(known, shape[d], &known)) {
      return op.Error("the new shape ", ShapeText(shape), " is not valid");
    }
  }
  const int64_t elements = NumElements(op.Shape(x));
  if (inferred >= 0) {
    if (known == 0 || elements % known != 0)
      return op.Error("cannot reshape ", ShapeText(op.Shape(x)), " to ", ShapeText(shape));
    shape[inferred] = elements / known;
  }
  return Reshape(op, x, std::move(shape));
}

Status ImportFlatten(OpContext& op) {
  TILTH_ASSIGN_OR_RETURN(const int x, op.Input(0));
  const int64_t rank = op.Rank(x), axis = op.Int("axis", 1), split = axis < 0 ? axis + rank : axis;
  if (split < 0 || split > rank) return op.Error("axis ", axis, " is out of range for rank ", rank);
  const Extents shape = op.Shape(x);
  const int64_t rows = NumElements({shape.begin(), shape.begin() + split});
  return Reshape(op, x, {rows, NumElements(shape) / rows});
}

// Axes as an attribute (before opset 13) or as input 1.
StatusOr<std::vector<int64_t>> ReadAxes(OpContext& op) {
  if (op.opset() < 13) return op.Ints("axes", {});
  if (!op.HasInput(1)) return std::vector<int64_t>();
  return op.ConstantInts(1);
}

Status ImportSqueeze(OpContext& op) {
  TILTH_ASSIGN_OR_RETURN(const int x, op.Input(0));
  TILTH_ASSIGN_OR_RETURN(const auto axes, ReadAxes(op));
  const Extents in = op.Shape(x);
  std::vector<bool> dropped(in.size(), false);
  for (size_t d = 0; d < in.size(); ++d) dropped[d] = axes.empty() && in[d] == 1;
  for (int64_t axis : axes) {
    TILTH_ASSIGN_OR_RETURN(const int d, op.NormalizeAxis(axis, static_cast<int>(in.size())));
    if (in[d] != 1) return op.Error("dimension ", d, " of ", ShapeText(in), " is not 1");
    dropped[d] = true;
  }
  Extents shape;
  for (size_t d = 0; d < in.size(); ++d) {
    if (!dropped[d]) shape.push_back(in[d]);
  }
  return Reshape(op, x, std::move(shape));
}

Status ImportUnsqueeze(OpContext& op) {
  TILTH_ASSIGN_OR_RETURN(const int x, op.Input(0));
  TILTH_ASSIGN_OR_RETURN(const auto axes, ReadAxes(op));
  const Extents in = op.Shape(x);
  const size_t rank = in.size() + axes.size();
  std::vector<bool> added(rank, false);
  for (int64_t axis : axes) {
    TILTH_ASSIGN_OR_RETURN(const int d, op.NormalizeAxis(axis, static_cast<int>(rank)));
    if (added[d]) return op.Error("axis ", axis, " is given twice");
    added[d] = true;
  }
  Extents shape;
  for (size_t d = 0, next = 0; d < rank; ++d) shape.push_back(added[d] ? 1 : in[next++]);
  return Reshape(op, x, std::move(shape));
}

constexpr OperatorEntry kOperators[] = {
    {"Identity", 1, ImportIdentity},   {"Dropout", 7, ImportDropout},
    {"Constant", 1, ImportConstant},   {"ConstantOfShape", 9, ImportConstantOfShape},
    {"Range", 11, ImportRange},        {"Shape", 1, ImportShape},
    {"Size", 1, ImportSize},           {"Reshape", 5, ImportReshape},
    {"Flatten", 1, ImportFlatten},     {"Squeeze", 1, ImportSqueeze},
    {"Unsqueeze", 1, ImportUnsqueeze},
};

}  // namespace

std::span<const OperatorEntry> ShapeOperators() { return kOperators; }

}  // namespace tilth
