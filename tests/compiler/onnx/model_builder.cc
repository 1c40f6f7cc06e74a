#include "tests/compiler/onnx/model_builder.h"

#include <onnx/onnx_pb.h>

#include "base/rng.h"

namespace tilth::testing {

ModelBuilder::ModelBuilder(int64_t opset) : model_(std::make_unique<onnx::ModelProto>()) {
  model_->set_ir_version(8);
  model_->add_opset_import()->set_version(opset);
  model_->mutable_graph()->set_name("test");
}

ModelBuilder::~ModelBuilder() = default;
ModelBuilder::ModelBuilder(ModelBuilder&&) noexcept = default;

ModelBuilder& ModelBuilder::Input(const std::string& name, const std::vector<int64_t>& shape, bool integer) {
  onnx::ValueInfoProto* input = model_->mutable_graph()->add_input();
  input->set_name(name);
  auto* type = input->mutable_type()->mutable_tensor_type();
  type->set_elem_type(integer ? onnx::TensorProto::INT64 : onnx::TensorProto::FLOAT);
  type->mutable_shape();
  for (int64_t extent : shape) type->mutable_shape()->add_dim()->set_dim_value(extent);
  return *this;
}

ModelBuilder& ModelBuilder::DynamicInput(const std::string& name, const std::string& dimension,
                                         const std::vector<int64_t>& rest) {
  onnx::ValueInfoProto* input = model_->mutable_graph()->add_input();
  input->set_name(name);
  auto* type = input->mutable_type()->mutable_tensor_type();
  type->set_elem_type(onnx::TensorProto::FLOAT);
  auto* first = type->mutable_shape()->add_dim();
  if (!dimension.empty()) first->set_dim_param(dimension);
  for (int64_t extent : rest) type->mutable_shape()->add_dim()->set_dim_value(extent);
  return *this;
}

ModelBuilder& ModelBuilder::Output(const std::string& name) {
  model_->mutable_graph()->add_output()->set_name(name);
  return *this;
}

ModelBuilder& ModelBuilder::Weights(const std::string& name, const std::vector<int64_t>& shape, uint64_t seed) {
  onnx::TensorProto* tensor = model_->mutable_graph()->add_initializer();
  tensor->set_name(name);
  tensor->set_data_type(onnx::TensorProto::FLOAT);
  int64_t count = 1;
  for (int64_t extent : shape) {
    tensor->add_dims(extent);
    count *= extent;
  }
  for (int64_t i = 0; i < count; ++i) tensor->add_float_data(0.75f + 0.5f * CounterUniform(seed, i));
  return *this;
}

ModelBuilder& ModelBuilder::Ints(const std::string& name, const std::vector<int64_t>& values) {
  onnx::TensorProto* tensor = model_->mutable_graph()->add_initializer();
  tensor->set_name(name);
  tensor->set_data_type(onnx::TensorProto::INT64);
  tensor->add_dims(static_cast<int64_t>(values.size()));
  for (int64_t value : values) tensor->add_int64_data(value);
  return *this;
}

ModelBuilder& ModelBuilder::Node(const std::string& op, const std::vector<std::string>& inputs,
                                 const std::vector<std::string>& outputs) {
  onnx::NodeProto* node = model_->mutable_graph()->add_node();
  node->set_op_type(op);
  node->set_name(op + "_" + outputs[0]);
  for (const std::string& input : inputs) node->add_input(input);
  for (const std::string& output : outputs) node->add_output(output);
  return *this;
}

namespace {

onnx::AttributeProto* AddAttribute(onnx::ModelProto* model, const std::string& name,
                                   onnx::AttributeProto::AttributeType type) {
  onnx::GraphProto* graph = model->mutable_graph();
  onnx::AttributeProto* attribute = graph->mutable_node(graph->node_size() - 1)->add_attribute();
  attribute->set_name(name);
  attribute->set_type(type);
  return attribute;
}

}  // namespace

ModelBuilder& ModelBuilder::Attribute(const std::string& name, int64_t value) {
  AddAttribute(model_.get(), name, onnx::AttributeProto::INT)->set_i(value);
  return *this;
}

ModelBuilder& ModelBuilder::Attribute(const std::string& name, const std::vector<int64_t>& values) {
  onnx::AttributeProto* attribute = AddAttribute(model_.get(), name, onnx::AttributeProto::INTS);
  for (int64_t value : values) attribute->add_ints(value);
  return *this;
}

ModelBuilder& ModelBuilder::Attribute(const std::string& name, const std::string& value) {
  AddAttribute(model_.get(), name, onnx::AttributeProto::STRING)->set_s(value);
  return *this;
}

std::string ModelBuilder::Serialize() const { return model_->SerializeAsString(); }

}  // namespace tilth::testing
