#include "compiler/onnx/zoo/network.h"

#include <cmath>

#include <onnx/onnx_pb.h>

#include "base/rng.h"
#include "base/strings.h"
#include "compiler/onnx/tensor_proto.h"

namespace tilth {
namespace {

constexpr int64_t kOpset = 13, kIrVersion = 8;

void SetType(onnx::ValueInfoProto* info, DType dtype, const std::vector<int64_t>& shape) {
  auto* type = info->mutable_type()->mutable_tensor_type();
  type->set_elem_type(ToOnnxType(dtype));
  for (int64_t extent : shape) type->mutable_shape()->add_dim()->set_dim_value(extent);
}

}  // namespace

Network::Network(const std::string& name, uint64_t seed) : model_(std::make_unique<onnx::ModelProto>()), seed_(seed) {
  model_->set_ir_version(kIrVersion);
  model_->set_producer_name("tilth zoo");
  model_->add_opset_import()->set_version(kOpset);
  model_->mutable_graph()->set_name(name);
}

Network::~Network() = default;

std::string Network::NewEdge(const std::string& hint) { return StrCat(hint, "_", edges_++); }

std::string Network::Input(const std::string& name, DType dtype, const std::vector<int64_t>& shape) {
  onnx::ValueInfoProto* input = model_->mutable_graph()->add_input();
  input->set_name(name);
  SetType(input, dtype, shape);
  return name;
}

// The output is renamed where it is made, so that the model has no node for it.
void Network::Output(const std::string& edge, const std::string& name) {
  onnx::GraphProto* graph = model_->mutable_graph();
  for (onnx::NodeProto& node : *graph->mutable_node()) {
    for (std::string& input : *node.mutable_input()) {
      if (input == edge) input = name;
    }
    for (std::string& output : *node.mutable_output()) {
      if (output == edge) output = name;
    }
  }
  onnx::ValueInfoProto* output = graph->add_output();
  output->set_name(name);
  output->mutable_type()->mutable_tensor_type()->set_elem_type(ToOnnxType(DType::kF32));
}

std::string Network::Weight(const std::string& name, const std::vector<int64_t>& shape, float centre, float reach) {
  const uint64_t stream = CombineHash(seed_, weights_++);
  std::vector<float> values(NumElements(shape));
  for (size_t i = 0; i < values.size(); ++i) values[i] = centre + reach * CounterUniform(stream, i);
  onnx::TensorProto* tensor = model_->mutable_graph()->add_initializer();
  tensor->set_name(NewEdge(name));
  tensor->set_data_type(ToOnnxType(DType::kF32));
  for (int64_t extent : shape) tensor->add_dims(extent);
  tensor->set_raw_data(values.data(), values.size() * sizeof(float));
  return tensor->name();
}

std::string Network::Scalar(float value) {
  onnx::TensorProto* tensor = model_->mutable_graph()->add_initializer();
  tensor->set_name(NewEdge("scalar"));
  tensor->set_data_type(ToOnnxType(DType::kF32));
  tensor->add_float_data(value);
  return tensor->name();
}

std::string Network::Ints(const std::vector<int64_t>& values) {
  onnx::TensorProto* tensor = model_->mutable_graph()->add_initializer();
  tensor->set_name(NewEdge("ints"));
  tensor->set_data_type(ToOnnxType(DType::kI64));
  tensor->add_dims(static_cast<int64_t>(values.size()));
  for (int64_t value : values) tensor->add_int64_data(value);
  return tensor->name();
}

std::string Network::Node(const std::string& op, const std::vector<std::string>& inputs,
                          const std::vector<Attribute>& attributes) {
  onnx::NodeProto* node = model_->mutable_graph()->add_node();
  const std::string edge = NewEdge(op);
  node->set_op_type(op);
  node->set_name(edge);
  for (const std::string& input : inputs) node->add_input(input);
  node->add_output(edge);
  for (const Attribute& given : attributes) {
    onnx::AttributeProto* attribute = node->add_attribute();
    attribute->set_name(given.name);
    if (const auto* integer = std::get_if<int64_t>(&given.value)) {
      attribute->set_type(onnx::AttributeProto::INT);
      attribute->set_i(*integer);
    } else if (const auto* number = std::get_if<float>(&given.value)) {
      attribute->set_type(onnx::AttributeProto::FLOAT);
      attribute->set_f(*number);
    } else {
      attribute->set_type(onnx::AttributeProto::INTS);
      for (int64_t value : std::get<std::vector<int64_t>>(given.value)) attribute->add_ints(value);
    }
  }
  return edge;
}

std::string Network::Conv(const std::string& x, int64_t channels, int64_t filters, int64_t kernel, int64_t stride,
                          int64_t group, bool bias, bool pad) {
  const int64_t group_channels = channels / group, padding = pad ? (kernel - 1) / 2 : 0;
  // He: a uniform distribution of variance 2 / fan-in.
  const float reach = std::sqrt(6.0f / static_cast<float>(group_channels * kernel * kernel));
  std::vector<std::string> inputs = {x, Weight("weight", {filters, group_channels, kernel, kernel}, 0, reach)};
  if (bias) inputs.push_back(Weight("bias", {filters}, 0, 0.1f));
  return Node("Conv", inputs,
              {{"kernel_shape", std::vector<int64_t>{kernel, kernel}},
               {"strides", std::vector<int64_t>{stride, stride}},
               {"pads", std::vector<int64_t>{padding, padding, padding, padding}},
               {"dilations", std::vector<int64_t>{1, 1}},
               {"group", group}});
}

std::string Network::BatchNorm(const std::string& x, int64_t channels, float scale) {
  const std::string gamma = Weight("scale", {channels}, scale, 0.2f * scale),
                    beta = Weight("bias", {channels}, 0, 0.1f);
  const std::string mean = Weight("mean", {channels}, 0, 0.1f), variance = Weight("variance", {channels}, 1, 0.2f);
  return Node("BatchNormalization", {x, gamma, beta, mean, variance}, {{"epsilon", 1e-5f}});
}

std::string Network::Linear(const std::string& x, int64_t inputs, int64_t outputs) {
  const float reach = std::sqrt(3.0f / static_cast<float>(inputs));
  const std::string product = Node("MatMul", {x, Weight("weight", {inputs, outputs}, 0, reach)});
  return Node("Add", {product, Weight("bias", {outputs}, 0, 0.05f)});
}

std::string Network::LayerNorm(const std::string& x, int64_t width) {
  const std::vector<int64_t> last = {-1};
  const std::string mean = Node("ReduceMean", {x}, {{"axes", last}});
  const std::string centred = Node("Sub", {x, mean});
  const std::string squares = Node("Pow", {centred, Scalar(2)});
  const std::string variance = Node("ReduceMean", {squares}, {{"axes", last}});
  const std::string deviation = Node("Sqrt", {Node("Add", {variance, Scalar(1e-12f)})});
  const std::string normal = Node("Div", {centred, deviation});
  const std::string scaled = Node("Mul", {normal, Weight("gamma", {width}, 1, 0.1f)});
  return Node("Add", {scaled, Weight("beta", {width}, 0, 0.1f)});
}

std::string Network::Classifier(const std::string& x, int64_t inputs, int64_t classes) {
  const float reach = std::sqrt(3.0f / static_cast<float>(inputs));
  return Node("Gemm", {x, Weight("weight", {classes, inputs}, 0, reach), Weight("bias", {classes}, 0, 0.05f)},
              {{"alpha", 1.0f}, {"beta", 1.0f}, {"transB", int64_t{1}}});
}

std::string Network::Serialize() const { return model_->SerializeAsString(); }

}  // namespace tilth
