#include <algorithm>

#include "compiler/graph/passes.h"

namespace tilth {
namespace {

bool IsPureTranspose(const Stage& stage) {
  return stage.reduction == Reduction::kNone && stage.value->op == ExprOp::kLoad &&
         IsIdentityIndex(stage.output_index, stage.axes);
}

// The tensor that alone reads `t`, as an alias; -1 if there is another reader.
int OnlyAlias(const Graph& graph, int t, const std::vector<std::vector<int>>& consumers) {
  int alias = -1;
  if (!consumers[t].empty() || graph.tensors[t].tensor.role != TensorRole::kTemporary) return -1;
  for (size_t a = 0; a < graph.tensors.size(); ++a) {
    if (graph.tensors[a].alias_of != t) continue;
    if (alias >= 0) return -1;
    alias = static_cast<int>(a);
  }
  return alias;
}

}  // namespace

void ComposeShuffles(Graph* graph) {
  const auto consumers = ConsumersOf(*graph);
  for (GraphStage& graph_stage : graph->stages) {
    Stage& stage = graph_stage.stage;
    if (!IsPureTranspose(stage)) continue;
    const int split = stage.value->id, source = graph->tensors[split].alias_of;
    if (source < 0) continue;
    const int result = OnlyAlias(*graph, stage.output, consumers);
    if (result < 0 || graph->tensors[result].tensor.role == TensorRole::kOutput) continue;
    const std::vector<int64_t>&shape = graph->tensors[source].logical_shape,
          &parts = graph->tensors[split].logical_shape;
    const size_t rank = shape.size();
    if (rank < 3 || parts.size() != rank + 1 || graph->tensors[result].logical_shape != shape) continue;
    // (n, groups, each, spatial…) to (n, each, groups, spatial…).
    const int64_t groups = parts[1], each = parts[2];
    bool shuffles = parts[0] == shape[0] && std::equal(parts.begin() + 3, parts.end(), shape.begin() + 2);
    for (size_t d = 0; d < parts.size(); ++d) {
      const size_t wanted = d == 1 ? 2 : d == 2 ? 1 : d;
      const Expr& index = stage.value->args[d];
      shuffles &= (index->op == ExprOp::kIndex && index->id == static_cast<int>(wanted)) ||
                  (parts[d] == 1 && expr::IsIntConst(index, 0));
    }
    if (!shuffles) continue;
    std::vector<Expr> index = IdentityIndex(static_cast<int>(rank));
    index[1] = expr::Add(expr::Mul(expr::Mod(index[1], groups), expr::Int(each)), expr::FloorDiv(index[1], groups));
    stage.axes.clear();
    for (int64_t extent : shape) stage.axes.push_back({"i", extent});
    stage.output = result;
    stage.output_index = IdentityIndex(static_cast<int>(rank));
    stage.value = expr::Load(source, graph->tensors[source].tensor.dtype, std::move(index));
    graph_stage.op = "ChannelShuffle";
    graph->tensors[result].alias_of = -1;
  }
}

}  // namespace tilth
