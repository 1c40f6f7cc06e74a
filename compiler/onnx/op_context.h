// What an operator's importer sees of its node: typed access to inputs and attributes, and a way to add stages.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/strings.h"
#include "compiler/graph/graph.h"

namespace onnx {
class AttributeProto;
class NodeProto;
}  // namespace onnx

namespace tilth {

using Extents = std::vector<int64_t>;

class OpContext {
 public:
  // `inputs[i]` is the graph tensor of input i, -1 where it is absent. All references must outlive the context.
  OpContext(Graph* graph, const onnx::NodeProto& node, int64_t opset, std::vector<int> inputs);

  int64_t opset() const { return opset_; }
  const std::string& name() const { return name_; }
  int num_inputs() const { return static_cast<int>(inputs_.size()); }
  int num_outputs() const { return static_cast<int>(outputs_.size()); }
  bool WantsOutput(int i) const;

  // Whether input `i` was given.
  bool HasInput(int i) const { return i < num_inputs() && inputs_[i] >= 0; }
  StatusOr<int> Input(int i) const;       // an error when absent
  StatusOr<int> FloatInput(int i) const;  // an error also when its elements are not floats
  const Extents& Shape(int tensor) const { return graph_->tensors[tensor].tensor.shape; }
  int Rank(int tensor) const { return static_cast<int>(Shape(tensor).size()); }
  DType TypeOf(int tensor) const { return graph_->tensors[tensor].tensor.dtype; }

  // The value of a tensor that is constant, or null.
  const TensorValue* Constant(int tensor) const { return graph_->tensors[tensor].data.get(); }
  // Input `i` as integers; an error when it is not constant.
  StatusOr<std::vector<int64_t>> ConstantInts(int i) const;

  // Attributes with their defaults. Those never asked for are reported as unsupported by CheckAttributes.
  int64_t Int(std::string_view attribute, int64_t otherwise);
  float Float(std::string_view attribute, float otherwise);
  std::string String(std::string_view attribute, std::string otherwise);
  std::vector<int64_t> Ints(std::string_view attribute, std::vector<int64_t> otherwise);
  bool HasAttribute(std::string_view attribute) const;
  const onnx::AttributeProto* Attribute(std::string_view attribute);  // null when absent
  // Attributes that change nothing for inference.
  void Ignore(std::string_view attribute) { used_attributes_.insert(std::string(attribute)); }
  Status CheckAttributes() const;

  // A non-negative axis from one that may count from the end.
  StatusOr<int> NormalizeAxis(int64_t axis, int rank) const;

  // INVALID_ARGUMENT with what is wrong; import adds node and operator.
  template <typename... Args>
  Status Error(const Args&... what) const {
    return absl::InvalidArgumentError(StrCat(what...));
  }

  // A temporary of this node. Extents below 1 and absurd sizes are errors.
  StatusOr<int> NewTensor(DType dtype, Extents shape);
  int NewConstant(TensorValue value);
  int NewConstant(DType dtype, Extents shape, const std::vector<double>& values);

  // Adds a stage that writes `output` at `output_index`.
  void AddStage(int output, std::vector<Axis> axes, std::vector<Expr> output_index, Expr value);
  void AddReduction(int output, std::vector<Axis> axes, std::vector<Expr> output_index, Reduction reduction,
                    std::vector<Axis> reduce_axes, Expr value);
  // The usual case: a new tensor of `shape`, one axis per dimension, stored at the identity. Returns the tensor.
  StatusOr<int> AddElementwise(DType dtype, const Extents& shape, Expr value);

  // Another shape for the bytes of `tensor`; its element count must be the same.
  StatusOr<int> AddReshape(int tensor, Extents shape);

  Expr Load(int tensor, std::vector<Expr> index) const { return expr::Load(tensor, TypeOf(tensor), std::move(index)); }
  // Element of `tensor` at an iteration over `shape`, to which it is broadcast; axes are numbered from `first_axis`. A
  // constant of one element becomes a literal.
  Expr LoadBroadcast(int tensor, const Extents& shape, int first_axis = 0) const;

  void MarkImage(int tensor) { graph_->tensors[tensor].is_image = true; }
  // Outputs that the node does not name are dropped.
  void SetOutput(int i, int tensor) {
    if (i < num_outputs()) outputs_[i] = tensor;
  }
  const std::vector<int>& outputs() const { return outputs_; }

 private:
  Graph* graph_;
  const onnx::NodeProto& node_;
  int64_t opset_;
  std::string name_;
  std::vector<int> inputs_;
  std::vector<int> outputs_;
  std::set<std::string> used_attributes_;
};

// The product of the extents; negative extents and more than 2^31 elements are errors.
StatusOr<int64_t> CountElements(const Extents& shape);

// Axes named `prefix`0, `prefix`1, … with the given extents.
std::vector<Axis> AxesOf(const Extents& shape, std::string_view prefix = "i");

// The shape to which numpy broadcasts `a` and `b`, or an error.
StatusOr<Extents> BroadcastShapes(const Extents& a, const Extents& b);

// `low <= index < high` with the parts that cannot be false left out; `index_low`, `index_high` bound index
// inclusively.
Expr InRange(const Expr& index, int64_t index_low, int64_t index_high, int64_t extent);

std::string ShapeText(const Extents& shape);

}  // namespace tilth
