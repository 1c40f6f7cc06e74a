// Protocol buffer wire format by hand; field numbers are those of onnx.proto.
#include "tests/support/tiny_onnx.h"

#include <cstring>

namespace tilth {
namespace {

constexpr uint64_t kFloat = 1;  // TensorProto.DataType

std::string Varint(uint64_t value) {
  std::string bytes;
  for (; value >= 128; value >>= 7) bytes += static_cast<char>(value | 128);
  return bytes + static_cast<char>(value);
}

std::string Field(int number, uint64_t value) { return Varint(static_cast<uint64_t>(number) << 3) + Varint(value); }

std::string Field(int number, std::string_view bytes) {
  return Varint(static_cast<uint64_t>(number) << 3 | 2) + Varint(bytes.size()) + std::string(bytes);
}

std::string Node(std::string_view op, const std::vector<std::string>& inputs, std::string_view output) {
  std::string node;
  for (const std::string& input : inputs) node += Field(1, input);
  return node + Field(2, output) + Field(3, "the_node") + Field(4, op);
}

std::string ValueInfo(std::string_view name, const std::vector<OnnxDimension>& shape) {
  std::string dimensions;
  for (const OnnxDimension& dimension : shape) {
    dimensions +=
        Field(1, dimension.name.empty() ? Field(1, static_cast<uint64_t>(dimension.extent)) : Field(2, dimension.name));
  }
  const std::string type = Field(1, Field(1, kFloat) + Field(2, dimensions));
  return Field(1, name) + Field(2, type);
}

std::string Model(const std::string& graph, int64_t opset) {
  return Field(1, uint64_t{8}) + Field(7, graph) + Field(8, Field(1, "") + Field(2, static_cast<uint64_t>(opset)));
}

}  // namespace

std::string OneOperatorModel(std::string_view op, const std::vector<OnnxDimension>& shape, int64_t opset) {
  return Model(Field(1, Node(op, {"x"}, "y")) + Field(2, "tiny") + Field(11, ValueInfo("x", shape)) +
                   Field(12, ValueInfo("y", shape)),
               opset);
}

std::string BiasReluModel(const std::vector<float>& values) {
  const auto size = static_cast<int64_t>(values.size());
  return Model(Field(1, Node("Add", {"x", "b"}, "sum")) + Field(1, Node("Relu", {"sum"}, "y")) + Field(2, "tiny") +
                   Field(5, FloatTensor("b", {size}, values)) + Field(11, ValueInfo("x", {{size, ""}})) +
                   Field(12, ValueInfo("y", {{size, ""}})),
               13);
}

std::string FloatTensor(std::string_view name, const std::vector<int64_t>& shape, const std::vector<float>& values) {
  std::string tensor;
  for (const int64_t extent : shape) tensor += Field(1, static_cast<uint64_t>(extent));
  std::string raw(values.size() * sizeof(float), '\0');
  std::memcpy(raw.data(), values.data(), raw.size());
  return tensor + Field(2, kFloat) + Field(8, name) + Field(9, raw);
}

}  // namespace tilth
