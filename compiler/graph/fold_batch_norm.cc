#include <algorithm>

#include "compiler/graph/passes.h"

namespace tilth {
namespace {

// x * factor + offset with constant vectors over channels, as import makes batch normalisations.
struct ScaledChannels {
  int x, factor, offset;
};

std::optional<ScaledChannels> MatchBatchNormalization(const Graph& graph, const GraphStage& stage) {
  const Expr& sum = stage.stage.value;
  if (stage.op != "BatchNormalization" || sum->op != ExprOp::kAdd || sum->args[0]->op != ExprOp::kMul)
    return std::nullopt;
  const Expr &x = sum->args[0]->args[0], &factor = sum->args[0]->args[1], &offset = sum->args[1];
  for (const Expr* e : {&x, &factor, &offset}) {
    if ((*e)->op != ExprOp::kLoad) return std::nullopt;
  }
  if (graph.tensors[factor->id].data == nullptr || graph.tensors[offset->id].data == nullptr) return std::nullopt;
  return ScaledChannels{x->id, factor->id, offset->id};
}

class Folder {
 public:
  explicit Folder(Graph* graph) : graph_(*graph), consumers_(ConsumersOf(*graph)), producers_(ProducersOf(*graph)) {
    has_alias_.assign(graph->tensors.size(), false);
    for (const GraphTensor& tensor : graph->tensors) {
      if (tensor.alias_of >= 0) has_alias_[tensor.alias_of] = true;
    }
  }

  void Run() {
    for (size_t s = 0; s < graph_.stages.size(); ++s) Fold(static_cast<int>(s));
    auto& stages = graph_.stages;
    stages.erase(
        std::remove_if(stages.begin(), stages.end(), [](const GraphStage& stage) { return stage.stage.output < 0; }),
        stages.end());
  }

 private:
  // The stage that alone makes `tensor` for one stage alone; -1 if there is no such.
  int OnlyProducer(int tensor) const {
    if (graph_.tensors[tensor].tensor.role != TensorRole::kTemporary || has_alias_[tensor]) return -1;
    return producers_[tensor].size() == 1 && consumers_[tensor].size() == 1 ? producers_[tensor][0] : -1;
  }

  bool IsConvolution(int s) const {
    if (s < 0) return false;
    const GraphStage& stage = graph_.stages[s];
    return stage.op == "Conv" && IsContraction(stage.stage) &&
           graph_.tensors[stage.stage.value->args[1]->id].data != nullptr;
  }

  void Fold(int s) {
    const auto match = MatchBatchNormalization(graph_, graph_.stages[s]);
    if (!match) return;
    const int before = OnlyProducer(match->x);
    if (before < 0) return;
    if (IsConvolution(before)) {
      ScaleWeights(before, match->factor);
      Stage& stage = graph_.stages[s].stage;
      stage.value = expr::Add(stage.value->args[0]->args[0], stage.value->args[1]);
      return;
    }
    // Convolution, then bias, then normalisation.
    Stage& bias_stage = graph_.stages[before].stage;
    const Expr& sum = bias_stage.value;
    if (graph_.stages[before].op != "Conv" || bias_stage.reduction != Reduction::kNone || sum->op != ExprOp::kAdd)
      return;
    if (sum->args[0]->op != ExprOp::kLoad || sum->args[1]->op != ExprOp::kLoad) return;
    const TensorValue* bias = graph_.tensors[sum->args[1]->id].data.get();
    const int convolution = OnlyProducer(sum->args[0]->id);
    if (bias == nullptr || !IsConvolution(convolution)) return;
    ScaleWeights(convolution, match->factor);
    const TensorValue &factor = *graph_.tensors[match->factor].data, &offset = *graph_.tensors[match->offset].data;
    TensorValue folded = *bias;
    for (int64_t c = 0; c < NumElements(folded.shape); ++c) folded.Set(c, bias->Get(c) * factor.Get(c) + offset.Get(c));
    const int constant = AddConstant(&graph_, graph_.tensors[sum->args[1]->id].tensor.name, std::move(folded));
    bias_stage.value = expr::Add(sum->args[0], expr::Load(constant, DType::kF32, sum->args[1]->args));
    bias_stage.output = graph_.stages[s].stage.output;
    producers_[bias_stage.output] = {before};
    graph_.stages[s].stage.output = -1;
  }

  // Weights are (filters, channels, taps…): the factor belongs to the first dimension.
  void ScaleWeights(int s, int factor) {
    Stage& stage = graph_.stages[s].stage;
    const Expr load = stage.value->args[1];
    TensorValue scaled = *graph_.tensors[load->id].data;
    const TensorValue& factors = *graph_.tensors[factor].data;
    const int64_t filters = scaled.shape[0], each = NumElements(scaled.shape) / filters;
    for (int64_t i = 0; i < filters * each; ++i) scaled.Set(i, scaled.Get(i) * factors.Get(i / each));
    const int constant = AddConstant(&graph_, graph_.tensors[load->id].tensor.name, std::move(scaled));
    stage.value = expr::Mul(stage.value->args[0], expr::Load(constant, DType::kF32, load->args));
  }

  Graph& graph_;
  std::vector<std::vector<int>> consumers_, producers_;
  std::vector<bool> has_alias_;
};

}  // namespace

void FoldBatchNormalizations(Graph* graph) { Folder(graph).Run(); }

}  // namespace tilth
