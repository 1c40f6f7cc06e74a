// Graph: a whole model as tensor-expression stages. After import there are no operators any more, only stages over
// tensors, so folding a constant is interpreting a stage, and choosing a layout is permuting the dimensions of a tensor
// in every index that names it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "ir/interpreter.h"
#include "ir/workload.h"

namespace tilth {

struct GraphTensor {
  // `shape` is physical: dense row-major in memory. `role` is seen from the whole model.
  Tensor tensor;
  // The value of a constant, in physical order; null for all others.
  std::shared_ptr<const TensorValue> data;
  // This tensor has the same bytes as tensor `alias_of` under another shape (a reshape, or a transposition which the
  // layout made free); -1: it has storage of its own. The other tensor is never an alias itself.
  int alias_of = -1;
  // The shape in the order of the ONNX model; physical dimension d is logical dimension permutation[d]. An empty
  // permutation is the identity.
  std::vector<int64_t> logical_shape;
  std::vector<int> permutation;
  // Import's hint for the layout pass: an operator that works on images reads or writes this tensor as (n, c,
  // spatial…).
  bool is_image = false;
};

struct GraphStage {
  Stage stage;       // output and loads are numbers of graph tensors
  std::string name;  // of the ONNX node it came from; for people
  std::string op;    // its operator, "Conv"; for the names of kernels
};

struct Graph {
  std::string name;
  int64_t opset = 0;
  std::vector<GraphTensor> tensors;
  std::vector<GraphStage> stages;  // in an order in which they can run
  std::vector<int> inputs;         // tensors, in the order of the model's inputs and outputs. A graph output has one
  std::vector<int> outputs;        // writer kernel or more; it is never a constant, an input, nor an alias of those
};

// The tensor whose storage `tensor` uses: itself or what it is an alias of.
int StorageOf(const Graph& graph, int tensor);

// Numbers of the stages that load each tensor (directly, not through aliases), each stage once, ascending.
std::vector<std::vector<int>> ConsumersOf(const Graph& graph);

// Numbers of the stages that write each tensor, ascending.
std::vector<std::vector<int>> ProducersOf(const Graph& graph);

// Distinct tensors loaded by `stage`, in order of first appearance.
std::vector<int> LoadedTensors(const Stage& stage);

// Adds a tensor with the identity layout; returns its number.
int AddTensor(Graph* graph, Tensor tensor);

// Adds a constant with its value, as a tensor named `name`.
int AddConstant(Graph* graph, std::string name, TensorValue value);

// Removes stages that no output depends on. Tensors keep their numbers.
void RemoveDeadStages(Graph* graph);

// The bound for values of integer tensor `tensor` when every load of it in `stage` is part of another load's index: the
// least extent it must stay below. 0 when it is loaded otherwise too, or not at all.
int64_t IndexBound(const Stage& stage, int tensor, const std::vector<const Tensor*>& tensors);

// Sets value_bound of the integer inputs that only serve as indices (through reshapes, too).
void SetValueBounds(Graph* graph);

// One line per tensor and stage, for people and for tests.
std::string ToText(const Graph& graph);

}  // namespace tilth
