// Builds small ONNX models for tests.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace onnx {
class ModelProto;
class NodeProto;
}  // namespace onnx

namespace tilth::testing {

class ModelBuilder {
 public:
  explicit ModelBuilder(int64_t opset = 13);
  ~ModelBuilder();
  ModelBuilder(ModelBuilder&&) noexcept;

  ModelBuilder& Input(const std::string& name, const std::vector<int64_t>& shape, bool integer = false);
  // A dimension of the input that has a name instead of a value.
  ModelBuilder& DynamicInput(const std::string& name, const std::string& dimension, const std::vector<int64_t>& rest);
  ModelBuilder& Output(const std::string& name);
  // Values that depend on the seed, small and not 0.
  ModelBuilder& Weights(const std::string& name, const std::vector<int64_t>& shape, uint64_t seed = 1);
  ModelBuilder& Ints(const std::string& name, const std::vector<int64_t>& values);
  // Attribute() speaks of the node added last.
  ModelBuilder& Node(const std::string& op, const std::vector<std::string>& inputs,
                     const std::vector<std::string>& outputs);
  ModelBuilder& Attribute(const std::string& name, int64_t value);
  ModelBuilder& Attribute(const std::string& name, const std::vector<int64_t>& values);
  ModelBuilder& Attribute(const std::string& name, const std::string& value);

  std::string Serialize() const;

 private:
  std::unique_ptr<onnx::ModelProto> model_;
};

}  // namespace tilth::testing
