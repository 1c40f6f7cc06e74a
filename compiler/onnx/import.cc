#include "compiler/onnx/import.h"

#include <algorithm>
#include <set>

#include <onnx/onnx_pb.h>

#include "absl/strings/str_join.h"
#include "base/strings.h"
#include "compiler/onnx/op_context.h"
#include "compiler/onnx/registry.h"
#include "compiler/onnx/tensor_proto.h"

namespace tilth {
namespace {

constexpr int64_t kFirstOpset = 7, kLastOpset = 17;
constexpr int64_t kMaxFoldedElements = int64_t{1} << 28;

class Importer {
 public:
  explicit Importer(const ImportOptions& options) : options_(options), operators_(AllOperators()) {}

  StatusOr<Graph> Import(const onnx::ModelProto& model) {
    TILTH_RETURN_IF_ERROR(ReadOpset(model));
    const onnx::GraphProto& proto = model.graph();
    graph_.name = proto.name();
    if (proto.node_size() == 0 && proto.output_size() == 0) {
      return absl::InvalidArgumentError("not an ONNX model: it has no graph");
    }
    if (proto.sparse_initializer_size() > 0) return absl::UnimplementedError("sparse initializers are not supported");
    for (const onnx::TensorProto& tensor : proto.initializer()) {
      TILTH_ASSIGN_OR_RETURN(TensorValue value, FromTensorProto(tensor), "initializer");
      values_[tensor.name()] = AddConstant(&graph_, tensor.name(), std::move(value));
    }
    for (const onnx::ValueInfoProto& input : proto.input()) {
      if (values_.count(input.name()) == 0) TILTH_RETURN_IF_ERROR(AddInput(input), "input '", input.name(), "'");
    }
    for (const onnx::NodeProto& node : proto.node()) {
      TILTH_RETURN_IF_ERROR(ImportNode(node), "node '",
                            node.name().empty() && node.output_size() > 0 ? node.output(0) : node.name(), "' (",
                            node.op_type(), ", opset ", graph_.opset, ")");
    }
    for (const onnx::ValueInfoProto& output : proto.output()) {
      const auto found = values_.find(output.name());
      if (found == values_.end())
        return absl::InvalidArgumentError(StrCat("output '", output.name(), "' is not computed by any node"));
      if (NumElements(graph_.tensors[found->second].tensor.shape) == 0) {
        return absl::UnimplementedError(StrCat("output '", output.name(), "' is empty; extents must be at least 1"));
      }
      AddOutput(output.name(), found->second);
    }
    if (graph_.outputs.empty()) return absl::InvalidArgumentError("the model has no outputs");
    RemoveDeadStages(&graph_);
    return std::move(graph_);
  }

 private:
  Status ReadOpset(const onnx::ModelProto& model) {
    for (const onnx::OperatorSetIdProto& opset : model.opset_import()) {
      if (opset.domain().empty() || opset.domain() == "ai.onnx") graph_.opset = opset.version();
    }
    if (graph_.opset >= kFirstOpset && graph_.opset <= kLastOpset) return absl::OkStatus();
    if (model.opset_import_size() == 0)
      return absl::InvalidArgumentError("not an ONNX model: it names no operator set");
    return absl::UnimplementedError(StrCat("the model uses opset ", graph_.opset, "; supported are opsets ",
                                           kFirstOpset, " to ", kLastOpset,
                                           " (onnx.version_converter can convert it)"));
  }

  Status AddInput(const onnx::ValueInfoProto& input) {
    if (!input.type().has_tensor_type()) return absl::UnimplementedError("is not a tensor; only tensors are supported");
    const onnx::TypeProto::Tensor& type = input.type().tensor_type();
    Tensor tensor;
    tensor.name = input.name();
    tensor.role = TensorRole::kInput;
    TILTH_ASSIGN_OR_RETURN(tensor.dtype, FromOnnxType(type.elem_type()));
    if (!type.has_shape()) return absl::InvalidArgumentError("has no shape; give the model static shapes");
    for (int d = 0; d < type.shape().dim_size(); ++d) {
      TILTH_ASSIGN_OR_RETURN(const int64_t extent, ExtentOf(input.name(), d, type.shape().dim(d)));
      tensor.shape.push_back(extent);
    }
    TILTH_ASSIGN_OR_RETURN(const int64_t elements, CountElements(tensor.shape));
    if (elements == 0) return absl::UnimplementedError("is empty; extents must be at least 1");
    values_[input.name()] = AddTensor(&graph_, std::move(tensor));
    graph_.inputs.push_back(values_[input.name()]);
    return absl::OkStatus();
  }

  // A dynamic dimension is given by its name or, when it has none, as INPUT:NUMBER.
  StatusOr<int64_t> ExtentOf(const std::string& input, int number,
                             const onnx::TensorShapeProto::Dimension& dimension) const {
    if (dimension.has_dim_value() && dimension.dim_value() > 0) return dimension.dim_value();
    const std::string name = dimension.has_dim_param() && !dimension.dim_param().empty() ? dimension.dim_param()
                                                                                         : StrCat(input, ":", number);
    const auto given = options_.dimensions.find(name);
    if (given == options_.dimensions.end()) {
      return absl::InvalidArgumentError(StrCat("dimension ", number, " is dynamic ('", name,
                                               "') and has no value; give it one, as in --dim ", name, "=1"));
    }
    if (given->second < 1)
      return absl::InvalidArgumentError(StrCat("dimension '", name, "' must be at least 1, got ", given->second));
    return given->second;
  }

  StatusOr<const OperatorEntry*> FindOperator(const onnx::NodeProto& node) const {
    if (!node.domain().empty() && node.domain() != "ai.onnx") {
      return absl::UnimplementedError(
          StrCat("operators of domain '", node.domain(), "' are not supported; only those of ONNX itself"));
    }
    const OperatorEntry* best = nullptr;
    bool known = false;
    for (const OperatorEntry& entry : operators_) {
      if (entry.name != node.op_type()) continue;
      known = true;
      if (entry.first_opset <= graph_.opset && (best == nullptr || entry.first_opset > best->first_opset))
        best = &entry;
    }
    if (best != nullptr) return best;
    if (known) return absl::UnimplementedError("the operator does not exist in this opset");
    return absl::UnimplementedError(
        StrCat("the operator is not supported; supported: ", absl::StrJoin(SupportedOperators(), ", ")));
  }

  Status ImportNode(const onnx::NodeProto& node) {
    TILTH_ASSIGN_OR_RETURN(const OperatorEntry* entry, FindOperator(node));
    std::vector<int> inputs;
    bool constant = true;
    for (const std::string& name : node.input()) {
      const auto found = values_.find(name);
      if (!name.empty() && found == values_.end()) {
        return absl::InvalidArgumentError(StrCat("its input '", name, "' is computed by no node before it"));
      }
      inputs.push_back(name.empty() ? -1 : found->second);
      constant &= name.empty() || graph_.tensors[inputs.back()].data != nullptr;
    }
    const size_t first_stage = graph_.stages.size(), first_tensor = graph_.tensors.size();
    OpContext op(&graph_, node, graph_.opset, std::move(inputs));
    TILTH_RETURN_IF_ERROR(entry->import(op));
    TILTH_RETURN_IF_ERROR(op.CheckAttributes());
    if (constant) TILTH_RETURN_IF_ERROR(Fold(first_stage, first_tensor));
    for (int i = 0; i < node.output_size(); ++i) {
      if (node.output(i).empty()) continue;
      if (op.outputs()[i] < 0)
        return absl::UnimplementedError(StrCat("its output ", i, " ('", node.output(i), "') is not supported"));
      if (!values_.emplace(node.output(i), op.outputs()[i]).second) {
        return absl::InvalidArgumentError(StrCat("its output '", node.output(i), "' is computed twice"));
      }
    }
    return absl::OkStatus();
  }

  // Runs the stages of a node that has only constant inputs, and makes its tensors constants.
  Status Fold(size_t first_stage, size_t first_tensor) {
    int64_t elements = 0;
    for (size_t t = first_tensor; t < graph_.tensors.size(); ++t)
      elements += NumElements(graph_.tensors[t].tensor.shape);
    if (elements > kMaxFoldedElements)
      return absl::ResourceExhaustedError("a constant would have more than 2^28 elements");
    std::vector<const TensorValue*> values;
    for (const GraphTensor& tensor : graph_.tensors) values.push_back(tensor.data.get());
    std::map<int, std::shared_ptr<TensorValue>> results;
    for (size_t s = first_stage; s < graph_.stages.size(); ++s) {
      const Stage& stage = graph_.stages[s].stage;
      const Tensor& tensor = graph_.tensors[stage.output].tensor;
      std::shared_ptr<TensorValue>& result = results[stage.output];
      if (result == nullptr) result = std::make_shared<TensorValue>(ZeroValue(tensor.dtype, tensor.shape));
      TILTH_RETURN_IF_ERROR(InterpretStage(stage, values, result.get()), "folding a constant");
      values[stage.output] = result.get();
    }
    graph_.stages.resize(first_stage);
    for (auto& [tensor, value] : results) SetConstant(tensor, std::move(value));
    // Reshapes inside the node come after what they are aliases of.
    for (size_t t = first_tensor; t < graph_.tensors.size(); ++t) {
      GraphTensor& tensor = graph_.tensors[t];
      if (tensor.alias_of < 0) continue;
      const TensorValue& source = *graph_.tensors[tensor.alias_of].data;
      SetConstant(static_cast<int>(t),
                  std::make_shared<TensorValue>(TensorValue{source.dtype, tensor.tensor.shape, source.bytes}));
      tensor.alias_of = -1;
    }
    return absl::OkStatus();
  }

  void SetConstant(int tensor, std::shared_ptr<const TensorValue> value) {
    graph_.tensors[tensor].tensor.role = TensorRole::kConstant;
    graph_.tensors[tensor].data = std::move(value);
  }

  // A tensor that cannot be an output as it is (an input, a constant, an output already) is copied.
  void AddOutput(const std::string& name, int tensor) {
    const int storage = StorageOf(graph_, tensor);
    if (graph_.tensors[storage].tensor.role != TensorRole::kTemporary || !output_storage_.insert(storage).second) {
      Tensor copy = graph_.tensors[tensor].tensor;
      const int rank = static_cast<int>(copy.shape.size());
      GraphStage stage;
      stage.name = name;
      stage.op = "Identity";
      stage.stage.axes = AxesOf(copy.shape);
      stage.stage.output_index = IdentityIndex(rank);
      stage.stage.value = expr::Load(tensor, copy.dtype, IdentityIndex(rank));
      tensor = AddTensor(&graph_, std::move(copy));
      stage.stage.output = tensor;
      graph_.stages.push_back(std::move(stage));
    }
    graph_.tensors[tensor].tensor.name = name;
    graph_.tensors[tensor].tensor.role = TensorRole::kOutput;
    graph_.tensors[tensor].tensor.value_bound = 0;
    graph_.outputs.push_back(tensor);
  }

  const ImportOptions& options_;
  const std::vector<OperatorEntry> operators_;
  Graph graph_;
  std::map<std::string, int> values_;
  std::set<int> output_storage_;
};

}  // namespace

StatusOr<Graph> ImportOnnx(std::string_view model_bytes, const ImportOptions& options) {
  onnx::ModelProto model;
  if (model_bytes.size() > INT32_MAX) {
    return absl::InvalidArgumentError("the model is larger than 2 GiB, which protobuf cannot hold");
  }
  if (!model.ParseFromArray(model_bytes.data(), static_cast<int>(model_bytes.size()))) {
    return absl::InvalidArgumentError("not an ONNX model (a serialised ModelProto), or the file is cut off");
  }
  TILTH_ASSIGN_OR_RETURN(Graph graph, Importer(options).Import(model));
  SetValueBounds(&graph);
  return graph;
}

}  // namespace tilth
