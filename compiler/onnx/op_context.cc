#include "compiler/onnx/op_context.h"

#include <algorithm>

#include <onnx/onnx_pb.h>

#include "absl/strings/str_join.h"

namespace tilth {
namespace {

constexpr int64_t kMaxElements = int64_t{1} << 31;

}  // namespace

OpContext::OpContext(Graph* graph, const onnx::NodeProto& node, int64_t opset, std::vector<int> inputs)
    : graph_(graph), node_(node), opset_(opset), inputs_(std::move(inputs)), outputs_(node.output_size(), -1) {
  name_ = !node.name().empty() ? node.name() : node.output_size() > 0 ? node.output(0) : node.op_type();
}

bool OpContext::WantsOutput(int i) const { return i < node_.output_size() && !node_.output(i).empty(); }

StatusOr<int> OpContext::FloatInput(int i) const {
  TILTH_ASSIGN_OR_RETURN(const int tensor, Input(i));
  if (!IsFloat(TypeOf(tensor)))
    return Error("input ", i, " has element type ", ToString(TypeOf(tensor)), "; only floats are supported here");
  return tensor;
}

StatusOr<int> OpContext::Input(int i) const {
  if (!HasInput(i)) return Error("input ", i, " is missing");
  return inputs_[i];
}

StatusOr<std::vector<int64_t>> OpContext::ConstantInts(int i) const {
  TILTH_ASSIGN_OR_RETURN(const int tensor, Input(i));
  const TensorValue* value = Constant(tensor);
  if (value == nullptr) {
    return Error("input ", i, " ('", node_.input(i), "') must be constant, but depends on the model's inputs");
  }
  std::vector<int64_t> values(NumElements(value->shape));
  for (size_t e = 0; e < values.size(); ++e) values[e] = static_cast<int64_t>(value->Get(static_cast<int64_t>(e)));
  return values;
}

const onnx::AttributeProto* OpContext::Attribute(std::string_view attribute) {
  used_attributes_.insert(std::string(attribute));
  for (const onnx::AttributeProto& candidate : node_.attribute()) {
    if (candidate.name() == attribute) return &candidate;
  }
  return nullptr;
}

bool OpContext::HasAttribute(std::string_view attribute) const {
  return std::any_of(node_.attribute().begin(), node_.attribute().end(),
                     [&](const onnx::AttributeProto& candidate) { return candidate.name() == attribute; });
}

int64_t OpContext::Int(std::string_view attribute, int64_t otherwise) {
  const onnx::AttributeProto* found = Attribute(attribute);
  return found != nullptr ? found->i() : otherwise;
}

float OpContext::Float(std::string_view attribute, float otherwise) {
  const onnx::AttributeProto* found = Attribute(attribute);
  return found != nullptr ? found->f() : otherwise;
}

std::string OpContext::String(std::string_view attribute, std::string otherwise) {
  const onnx::AttributeProto* found = Attribute(attribute);
  return found != nullptr ? found->s() : otherwise;
}

std::vector<int64_t> OpContext::Ints(std::string_view attribute, std::vector<int64_t> otherwise) {
  const onnx::AttributeProto* found = Attribute(attribute);
  return found != nullptr ? std::vector<int64_t>(found->ints().begin(), found->ints().end()) : otherwise;
}

Status OpContext::CheckAttributes() const {
  for (const onnx::AttributeProto& attribute : node_.attribute()) {
    if (used_attributes_.count(attribute.name()) == 0) {
      return absl::UnimplementedError(StrCat("attribute '", attribute.name(), "' is not supported; supported here: ",
                                             absl::StrJoin(used_attributes_, ", ")));
    }
  }
  return absl::OkStatus();
}

StatusOr<int> OpContext::NormalizeAxis(int64_t axis, int rank) const {
  const int64_t positive = axis < 0 ? axis + rank : axis;
  if (positive < 0 || positive >= rank) return Error("axis ", axis, " is out of range for rank ", rank);
  return static_cast<int>(positive);
}

StatusOr<int> OpContext::NewTensor(DType dtype, Extents shape) {
  TILTH_ASSIGN_OR_RETURN(const int64_t elements, CountElements(shape));
  if (elements == 0) return Error("a result would have shape ", ShapeText(shape), "; empty tensors are not supported");
  Tensor tensor;
  tensor.name = name_;
  tensor.role = TensorRole::kTemporary;
  tensor.dtype = dtype;
  tensor.shape = std::move(shape);
  return AddTensor(graph_, std::move(tensor));
}

int OpContext::NewConstant(TensorValue value) { return AddConstant(graph_, name_, std::move(value)); }

int OpContext::NewConstant(DType dtype, Extents shape, const std::vector<double>& values) {
  TensorValue value = ZeroValue(dtype, std::move(shape));
  TILTH_CHECK(NumElements(value.shape) == static_cast<int64_t>(values.size()));
  for (size_t i = 0; i < values.size(); ++i) value.Set(static_cast<int64_t>(i), values[i]);
  return NewConstant(std::move(value));
}

void OpContext::AddStage(int output, std::vector<Axis> axes, std::vector<Expr> output_index, Expr value) {
  AddReduction(output, std::move(axes), std::move(output_index), Reduction::kNone, {}, std::move(value));
}

void OpContext::AddReduction(int output, std::vector<Axis> axes, std::vector<Expr> output_index, Reduction reduction,
                             std::vector<Axis> reduce_axes, Expr value) {
  GraphStage stage;
  stage.name = name_;
  stage.op = node_.op_type();
  stage.stage.output = output;
  stage.stage.axes = std::move(axes);
  stage.stage.output_index = std::move(output_index);
  stage.stage.reduction = reduction;
  stage.stage.reduce_axes = std::move(reduce_axes);
  stage.stage.value = std::move(value);
  graph_->stages.push_back(std::move(stage));
}

StatusOr<int> OpContext::AddElementwise(DType dtype, const Extents& shape, Expr value) {
  TILTH_ASSIGN_OR_RETURN(const int output, NewTensor(dtype, shape));
  AddStage(output, AxesOf(shape), IdentityIndex(static_cast<int>(shape.size())), std::move(value));
  return output;
}

StatusOr<int> OpContext::AddReshape(int tensor, Extents shape) {
  TILTH_ASSIGN_OR_RETURN(const int64_t elements, CountElements(shape));
  if (elements != NumElements(Shape(tensor))) {
    return Error("cannot reshape ", ShapeText(Shape(tensor)), " to ", ShapeText(shape));
  }
  if (const TensorValue* constant = Constant(tensor)) {
    return NewConstant({constant->dtype, std::move(shape), constant->bytes});
  }
  TILTH_ASSIGN_OR_RETURN(const int output, NewTensor(TypeOf(tensor), std::move(shape)));
  graph_->tensors[output].alias_of = StorageOf(*graph_, tensor);
  return output;
}

Expr OpContext::LoadBroadcast(int tensor, const Extents& shape, int first_axis) const {
  const Extents& own = Shape(tensor);
  if (const TensorValue* constant = Constant(tensor); constant != nullptr && NumElements(own) == 1) {
    if (IsFloat(constant->dtype)) return expr::Float(constant->Get(0));
    if (constant->dtype == DType::kBool) return expr::Bool(constant->Get(0) != 0);
    return expr::Int(static_cast<int64_t>(constant->Get(0)));
  }
  const int offset = static_cast<int>(shape.size()) - static_cast<int>(own.size());
  std::vector<Expr> index;
  for (int d = 0; d < static_cast<int>(own.size()); ++d) {
    index.push_back(own[d] == 1 ? expr::Int(0) : expr::Index(first_axis + offset + d));
  }
  return Load(tensor, std::move(index));
}

StatusOr<int64_t> CountElements(const Extents& shape) {
  int64_t elements = 1;
  for (int64_t extent : shape) {
    if (extent < 0 || __builtin_mul_overflow(elements, extent, &elements) || elements > kMaxElements) {
      return absl::InvalidArgumentError(StrCat("a tensor would have shape ", ShapeText(shape),
                                               "; extents must be positive and elements at most 2^31"));
    }
  }
  return elements;
}

std::vector<Axis> AxesOf(const Extents& shape, std::string_view prefix) {
  std::vector<Axis> axes;
  for (size_t i = 0; i < shape.size(); ++i) axes.push_back({StrCat(prefix, i), shape[i]});
  return axes;
}

StatusOr<Extents> BroadcastShapes(const Extents& a, const Extents& b) {
  Extents shape(std::max(a.size(), b.size()));
  for (size_t i = 0; i < shape.size(); ++i) {
    const int64_t x = i < a.size() ? a[a.size() - 1 - i] : 1, y = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (x != y && x != 1 && y != 1) {
      return absl::InvalidArgumentError(StrCat("shapes ", ShapeText(a), " and ", ShapeText(b), " do not broadcast"));
    }
    shape[shape.size() - 1 - i] = x == 1 ? y : x;
  }
  return shape;
}

Expr InRange(const Expr& index, int64_t index_low, int64_t index_high, int64_t extent) {
  Expr condition = expr::Bool(true);
  if (index_low < 0) condition = expr::LessEqual(expr::Int(0), index);
  if (index_high >= extent) condition = expr::And(condition, expr::LessThan(index, expr::Int(extent)));
  return condition;
}

std::string ShapeText(const Extents& shape) { return StrCat("[", absl::StrJoin(shape, ","), "]"); }

}  // namespace tilth
