// Serialised ONNX models and tensors small enough to write by hand, for tests that need one without the ONNX library.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tilth {

// A dimension of a tensor: a number, or the name of a dynamic one.
struct OnnxDimension {
  int64_t extent = 0;
  std::string name;
};

// The model y = op(x) with float tensors of one shape.
std::string OneOperatorModel(std::string_view op, const std::vector<OnnxDimension>& shape, int64_t opset = 13);

// The model y = Relu(x + b), where b is a constant of `values.size()` elements, as x.
std::string BiasReluModel(const std::vector<float>& values);

// A TensorProto of floats.
std::string FloatTensor(std::string_view name, const std::vector<int64_t>& shape, const std::vector<float>& values);

}  // namespace tilth
