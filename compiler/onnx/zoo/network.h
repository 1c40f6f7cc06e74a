// Writes ONNX networks node by node: what the architectures of the zoo are told in.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "ir/interpreter.h"

namespace onnx {
class ModelProto;
}

namespace tilth {

// Edges are named by strings, as in ONNX. Every weight has a stream of random numbers of its own, made of the seed and
// of the number of weights before it.
class Network {
 public:
  struct Attribute {
    std::string name;
    std::variant<int64_t, float, std::vector<int64_t>> value;
  };

  Network(const std::string& name, uint64_t seed);
  ~Network();

  std::string Input(const std::string& name, DType dtype, const std::vector<int64_t>& shape);
  void Output(const std::string& edge, const std::string& name);

  // Uniform in [centre - reach, centre + reach).
  std::string Weight(const std::string& name, const std::vector<int64_t>& shape, float centre, float reach);
  std::string Scalar(float value);
  std::string Ints(const std::vector<int64_t>& values);

  // Adds a node with one output and returns its edge.
  std::string Node(const std::string& op, const std::vector<std::string>& inputs,
                   const std::vector<Attribute>& attributes = {});

  // Convolution with He-scaled weights, padding (kernel - 1) / 2, and a bias if asked for.
  std::string Conv(const std::string& x, int64_t channels, int64_t filters, int64_t kernel, int64_t stride = 1,
                   int64_t group = 1, bool bias = false, bool pad = true);
  // Inference batch normalisation with scales around `scale`.
  std::string BatchNorm(const std::string& x, int64_t channels, float scale = 1);
  // y = x * w + b with w (inputs, outputs).
  std::string Linear(const std::string& x, int64_t inputs, int64_t outputs);
  // Over the last axis of `width` elements, decomposed as PyTorch exports it.
  std::string LayerNorm(const std::string& x, int64_t width);
  // The last layer of a classifier, as Gemm with transposed weights.
  std::string Classifier(const std::string& x, int64_t inputs, int64_t classes);

  std::string Serialize() const;

 private:
  std::string NewEdge(const std::string& hint);

  std::unique_ptr<onnx::ModelProto> model_;
  uint64_t seed_;
  int64_t weights_ = 0;
  int64_t edges_ = 0;
};

}  // namespace tilth
