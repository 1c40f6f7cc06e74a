#include "compiler/graph/graph.h"

#include <algorithm>

#include "absl/strings/str_join.h"
#include "base/strings.h"

namespace tilth {
namespace {

std::string ShapeText(const Tensor& tensor) {
  return StrCat(ToString(tensor.dtype), "[", absl::StrJoin(tensor.shape, ","), "]");
}

}  // namespace

int StorageOf(const Graph& graph, int tensor) {
  const int alias_of = graph.tensors[tensor].alias_of;
  return alias_of < 0 ? tensor : alias_of;
}

std::vector<int> LoadedTensors(const Stage& stage) {
  std::vector<int> loaded;
  expr::Visit(stage.value, [&](const ExprNode& node) {
    if (node.op == ExprOp::kLoad && std::find(loaded.begin(), loaded.end(), node.id) == loaded.end())
      loaded.push_back(node.id);
  });
  return loaded;
}

std::vector<std::vector<int>> ConsumersOf(const Graph& graph) {
  std::vector<std::vector<int>> consumers(graph.tensors.size());
  for (size_t s = 0; s < graph.stages.size(); ++s) {
    for (int tensor : LoadedTensors(graph.stages[s].stage)) consumers[tensor].push_back(static_cast<int>(s));
  }
  return consumers;
}

std::vector<std::vector<int>> ProducersOf(const Graph& graph) {
  std::vector<std::vector<int>> producers(graph.tensors.size());
  for (size_t s = 0; s < graph.stages.size(); ++s)
    producers[graph.stages[s].stage.output].push_back(static_cast<int>(s));
  return producers;
}

int AddTensor(Graph* graph, Tensor tensor) {
  GraphTensor added;
  added.logical_shape = tensor.shape;
  added.tensor = std::move(tensor);
  graph->tensors.push_back(std::move(added));
  return static_cast<int>(graph->tensors.size()) - 1;
}

int AddConstant(Graph* graph, std::string name, TensorValue value) {
  Tensor tensor;
  tensor.name = std::move(name);
  tensor.role = TensorRole::kConstant;
  tensor.dtype = value.dtype;
  tensor.shape = value.shape;
  const int number = AddTensor(graph, std::move(tensor));
  graph->tensors[number].data = std::make_shared<const TensorValue>(std::move(value));
  return number;
}

void RemoveDeadStages(Graph* graph) {
  std::vector<bool> needed(graph->tensors.size(), false);
  for (int output : graph->outputs) needed[StorageOf(*graph, output)] = true;
  std::vector<GraphStage> kept;
  for (auto stage = graph->stages.rbegin(); stage != graph->stages.rend(); ++stage) {
    if (!needed[StorageOf(*graph, stage->stage.output)]) continue;
    for (int tensor : LoadedTensors(stage->stage)) needed[StorageOf(*graph, tensor)] = true;
    kept.push_back(std::move(*stage));
  }
  std::reverse(kept.begin(), kept.end());
  graph->stages = std::move(kept);
}

int64_t IndexBound(const Stage& stage, int tensor, const std::vector<const Tensor*>& tensors) {
  int64_t bound = 0, loads = 0, index_loads = 0;
  expr::Visit(stage.value, [&](const ExprNode& node) {
    if (node.op != ExprOp::kLoad) return;
    if (node.id == tensor) ++loads;
    for (size_t d = 0; d < node.args.size(); ++d) {
      int64_t inside = 0;
      expr::Visit(node.args[d], [&](const ExprNode& part) { inside += part.op == ExprOp::kLoad && part.id == tensor; });
      if (inside == 0) continue;
      index_loads += inside;
      const int64_t extent = tensors[node.id]->shape[d];
      bound = bound == 0 ? extent : std::min(bound, extent);
    }
  });
  return loads == index_loads ? bound : 0;
}

void SetValueBounds(Graph* graph) {
  const auto consumers = ConsumersOf(*graph);
  std::vector<const Tensor*> tensors;
  for (const GraphTensor& tensor : graph->tensors) tensors.push_back(&tensor.tensor);
  for (int input : graph->inputs) {
    Tensor& tensor = graph->tensors[input].tensor;
    if (IsFloat(tensor.dtype) || tensor.dtype == DType::kBool) continue;
    int64_t bound = 0;
    bool only_index = true;
    for (size_t t = 0; t < graph->tensors.size(); ++t) {
      if (StorageOf(*graph, static_cast<int>(t)) != input) continue;
      for (int s : consumers[t]) {
        const int64_t here = IndexBound(graph->stages[s].stage, static_cast<int>(t), tensors);
        only_index &= here > 0;
        bound = bound == 0 ? here : std::min(bound, here);
      }
    }
    tensor.value_bound = only_index ? bound : 0;
  }
}

std::string ToText(const Graph& graph) {
  // A workload's text knows how to print stages; a graph is printed as one large workload.
  static constexpr std::string_view kRoles[] = {"input", "constant", "output", "temporary"};
  std::string out = StrCat("graph ", graph.name, " opset ", graph.opset, "\n");
  Workload whole;
  for (size_t t = 0; t < graph.tensors.size(); ++t) {
    const GraphTensor& tensor = graph.tensors[t];
    StrAppend(&out, "t", t, " ", kRoles[static_cast<int>(tensor.tensor.role)], " ", ShapeText(tensor.tensor), " ",
              tensor.tensor.name);
    if (tensor.alias_of >= 0) StrAppend(&out, " alias of t", tensor.alias_of);
    if (!tensor.permutation.empty()) StrAppend(&out, " permuted ", absl::StrJoin(tensor.permutation, ","));
    out += "\n";
  }
  for (const GraphStage& stage : graph.stages) {
    whole.stages = {stage.stage};
    const std::string text = ToText(whole);
    StrAppend(&out, stage.op, " '", stage.name, "': ", text.substr(text.find('\n') + 1));
  }
  return out;
}

}  // namespace tilth
