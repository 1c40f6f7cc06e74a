#include <algorithm>

#include "base/strings.h"
#include "compiler/graph/passes.h"

namespace tilth {
namespace {

constexpr int64_t kMaxNodes = 160;  // of an expression after inlining, repeated subtrees counted each time

int64_t CountNodes(const Expr& e) {
  int64_t count = 0;
  expr::Visit(e, [&](const ExprNode&) { ++count; });
  return count;
}

int64_t CountLoads(const Expr& e, int tensor) {
  int64_t count = 0;
  expr::Visit(e, [&](const ExprNode& node) { count += node.op == ExprOp::kLoad && node.id == tensor; });
  return count;
}

bool HasArithmetic(const Expr& e) {
  if (e->op == ExprOp::kLoad || e->op == ExprOp::kConst) return false;
  return e->op != ExprOp::kCast || HasArithmetic(e->args[0]);
}

int64_t Points(const Stage& stage) {
  int64_t points = 1;
  for (const Axis& axis : stage.axes) points *= axis.extent;
  for (const Axis& axis : stage.reduce_axes) points *= axis.extent;
  return points;
}

bool AllAffine(const std::vector<Expr>& index, const Stage& stage) {
  const int count = static_cast<int>(stage.axes.size() + stage.reduce_axes.size());
  return std::all_of(index.begin(), index.end(), [&](const Expr& e) { return AsAffine(e, count).has_value(); });
}

class Inliner {
 public:
  explicit Inliner(Graph* graph)
      : graph_(*graph),
        consumers_(ConsumersOf(*graph)),
        producers_(ProducersOf(*graph)),
        removed_(graph->stages.size(), false) {
    has_alias_.assign(graph->tensors.size(), false);
    for (const GraphTensor& tensor : graph->tensors) {
      if (tensor.alias_of >= 0) has_alias_[tensor.alias_of] = true;
    }
  }

  void Run() {
    // Again while it helps: a result that had two readers has one when those became one stage.
    for (bool changed = true; changed;) {
      changed = false;
      for (size_t s = 0; s < graph_.stages.size(); ++s) {
        if (removed_[s] || !MayInline(static_cast<int>(s))) continue;
        Inline(static_cast<int>(s));
        changed = true;
      }
    }
    std::vector<GraphStage> kept;
    for (size_t s = 0; s < graph_.stages.size(); ++s) {
      if (!removed_[s]) kept.push_back(std::move(graph_.stages[s]));
    }
    graph_.stages = std::move(kept);
  }

 private:
  bool MayInline(int s) const {
    const Stage& producer = graph_.stages[s].stage;
    const GraphTensor& tensor = graph_.tensors[producer.output];
    if (producer.reduction != Reduction::kNone || !IsIdentityIndex(producer.output_index, producer.axes)) return false;
    if (tensor.tensor.role != TensorRole::kTemporary || tensor.alias_of >= 0 || has_alias_[producer.output])
      return false;
    const std::vector<int>& consumers = consumers_[producer.output];
    if (producers_[producer.output].size() != 1 || consumers.empty()) return false;
    return std::all_of(consumers.begin(), consumers.end(),
                       [&](int c) { return MayInlineInto(s, c, consumers.size()); });
  }

  bool MayInlineInto(int p, int c, size_t num_consumers) const {
    const Stage &producer = graph_.stages[p].stage, &consumer = graph_.stages[c].stage;
    const int64_t loads = CountLoads(consumer.value, producer.output);
    if (CountNodes(consumer.value) + loads * CountNodes(producer.value) > kMaxNodes) return false;
    const bool copy = producer.value->op == ExprOp::kLoad && AllAffine(producer.value->args, producer);
    const bool layout = graph_.stages[p].op == "Layout";
    if (consumer.reduction != Reduction::kNone && copy && IsSlice(producer)) return true;
    if (IsContraction(consumer)) {
      const std::string& op = graph_.stages[c].op;
      if (op == "Conv") return IsPaddingFor(producer, consumer) || (layout && IsThinInput(producer));
      return copy && !layout && StaysContraction(producer, consumer);
    }
    if (consumer.reduction != Reduction::kNone) {
      return num_consumers == 1 && !layout && loads >= 1 && Points(consumer) == Points(producer) &&
             ReducesInnermost(consumer, producer.output) && !IsEpilogue(p);
    }
    if (num_consumers > 1)
      return !layout && !HasArithmetic(producer.value) && (copy || producer.value->op == ExprOp::kConst);
    if (ReadsInStep(consumer, producer.output)) return true;
    const bool repeats = Points(consumer) > Points(producer);
    return !IsEpilogue(p) && !layout && (!repeats || !HasArithmetic(producer.value));
  }

  // A part of a tensor, dimension by dimension and element by element: reading it in place costs nothing.
  static bool IsSlice(const Stage& producer) {
    for (size_t d = 0; d < producer.value->args.size(); ++d) {
      auto affine = AsAffine(producer.value->args[d], static_cast<int>(producer.axes.size()));
      if (!affine || d >= affine->coefficients.size() || affine->coefficients[d] != 1) return false;
      affine->coefficients[d] = 0;
      if (std::any_of(affine->coefficients.begin(), affine->coefficients.end(), [](int64_t c) { return c != 0; }))
        return false;
    }
    return producer.value->args.size() == producer.axes.size();
  }

  // The model's image with few channels: a convolution reads it as it is, rather than have it copied into channels-last
  // order, in which it would have short rows.
  bool IsThinInput(const Stage& producer) const {
    constexpr int64_t kFewChannels = 3;
    const Tensor& image = graph_.tensors[StorageOf(graph_, producer.value->id)].tensor;
    return image.role == TensorRole::kInput && producer.axes.back().extent <= kFewChannels;
  }

  // A zero padding in front of a convolution that has none of its own.
  static bool IsPaddingFor(const Stage& producer, const Stage& consumer) {
    const Expr& padded = producer.value;
    const bool zero_pad = padded->op == ExprOp::kSelect && padded->args[1]->op == ExprOp::kLoad &&
                          expr::IsConst(padded->args[2]) && IsFloat(padded->args[2]->dtype) &&
                          padded->args[2]->number == 0 && AllAffine(padded->args[1]->args, producer);
    const Expr& left = consumer.value->args[0];
    return zero_pad && left->op == ExprOp::kLoad && left->id == producer.output &&
           consumer.value->args[1]->id != producer.output;
  }

  // Guards and indices of a matrix product must stay what they are: single loads at affine indices.
  static bool StaysContraction(const Stage& producer, const Stage& consumer) {
    Stage inlined = consumer;
    inlined.value = Substitute(producer, consumer.value, DType::kF32);
    return IsContraction(inlined);
  }

  // Whether the innermost dimension that `stage` reads of `tensor` is a reduced axis.
  static bool ReducesInnermost(const Stage& stage, int tensor) {
    bool innermost = true;
    expr::Visit(stage.value, [&](const ExprNode& node) {
      if (node.op != ExprOp::kLoad || node.id != tensor || node.args.empty()) return;
      const Expr& last = node.args.back();
      innermost &= last->op == ExprOp::kIndex && last->id >= static_cast<int>(stage.axes.size());
    });
    return innermost;
  }

  static bool ReadsInStep(const Stage& stage, int tensor) {
    bool in_step = true;
    expr::Visit(stage.value, [&](const ExprNode& node) {
      if (node.op == ExprOp::kLoad && node.id == tensor) in_step &= IsIdentityIndex(node.args, stage.axes);
    });
    return in_step;
  }

  // Whether stage `p` can be fused behind a reduction that it alone reads, element by element.
  bool IsEpilogue(int p) const {
    const Stage& stage = graph_.stages[p].stage;
    for (int tensor : LoadedTensors(stage)) {
      if (consumers_[tensor].size() != 1 || producers_[tensor].size() != 1 || has_alias_[tensor]) continue;
      const Stage& source = graph_.stages[producers_[tensor][0]].stage;
      if (source.reduction != Reduction::kNone && ReadsInStep(stage, tensor)) return true;
    }
    return false;
  }

  // `value` with every load of the producer's output replaced by what the producer computes there.
  static Expr Substitute(const Stage& producer, const Expr& value, DType stored) {
    return expr::Rewrite(value, [&](const Expr& e) -> Expr {
      if (e->op != ExprOp::kLoad || e->id != producer.output) return nullptr;
      const Expr element = expr::SubstituteIndices(producer.value, e->args);
      // Storing would have rounded to the narrow types.
      const bool narrow = stored != DType::kF32 && stored != DType::kI64 && stored != DType::kBool;
      return narrow && element->op != ExprOp::kLoad ? expr::Cast(stored, element) : element;
    });
  }

  void Inline(int p) {
    const Stage& producer = graph_.stages[p].stage;
    const std::vector<int> consumers = consumers_[producer.output];
    for (int c : consumers) {
      GraphStage& consumer = graph_.stages[c];
      consumer.stage.value = Substitute(producer, consumer.stage.value, graph_.tensors[producer.output].tensor.dtype);
      if (consumer.stage.reduction == Reduction::kNone && HasArithmetic(producer.value)) {
        const bool is_copy = consumer.op == "Concat" || consumer.op == "Identity" || consumer.op == "Layout";
        consumer.op = is_copy ? graph_.stages[p].op : StrCat(graph_.stages[p].op, "+", consumer.op);
        if (is_copy) consumer.name = graph_.stages[p].name;
      }
    }
    for (int tensor : LoadedTensors(producer)) {
      std::vector<int>& list = consumers_[tensor];
      list.erase(std::remove(list.begin(), list.end(), p), list.end());
      for (int c : consumers) {
        if (std::find(list.begin(), list.end(), c) == list.end()) list.push_back(c);
      }
      std::sort(list.begin(), list.end());
    }
    consumers_[producer.output].clear();
    producers_[producer.output].clear();
    removed_[p] = true;
  }

  Graph& graph_;
  std::vector<std::vector<int>> consumers_, producers_;
  std::vector<bool> removed_;
  std::vector<bool> has_alias_;
};

}  // namespace

void InlineStages(Graph* graph) { Inliner(graph).Run(); }

}  // namespace tilth
