#include <algorithm>
#include <map>
#include <numeric>

#include "compiler/graph/passes.h"

namespace tilth {
namespace {

bool IsChannelsLastRank(size_t rank) { return rank >= 3 && rank <= 5; }

// Whether (n, c, spatial…) and (n, spatial…, c) are the same bytes.
bool IsLayoutNeutral(const std::vector<int64_t>& shape) {
  return shape[1] == 1 || std::all_of(shape.begin() + 2, shape.end(), [](int64_t extent) { return extent == 1; });
}

std::vector<int> ChannelsLast(size_t rank) {
  std::vector<int> permutation = {0};
  for (size_t d = 2; d < rank; ++d) permutation.push_back(static_cast<int>(d));
  permutation.push_back(1);
  return permutation;
}

// Whether dimension d of `index` depends on no iteration variable but those in dimension d of `output_index`.
bool IsAligned(const std::vector<Expr>& index, const std::vector<Expr>& output_index) {
  if (index.size() != output_index.size()) return false;
  for (size_t d = 0; d < index.size(); ++d) {
    bool aligned = true;
    expr::Visit(index[d], [&](const ExprNode& node) {
      if (node.op == ExprOp::kLoad) aligned = false;
      if (node.op != ExprOp::kIndex) return;
      bool found = false;
      expr::Visit(output_index[d],
                  [&](const ExprNode& other) { found |= other.op == ExprOp::kIndex && other.id == node.id; });
      aligned &= found;
    });
    if (!aligned) return false;
  }
  return true;
}

class LayoutPass {
 public:
  explicit LayoutPass(Graph* graph) : graph_(*graph) {}

  void Run() {
    Propagate();
    Split();
    for (size_t t = 0; t < graph_.tensors.size(); ++t) {
      if (wants_[t]) Permute(static_cast<int>(t));
    }
    for (GraphStage& stage : graph_.stages) RewriteStage(&stage.stage);
    RemoveIdentityCopies();
  }

 private:
  bool MayPermute(int t) const {
    const GraphTensor& tensor = graph_.tensors[t];
    return tensor.data == nullptr && IsChannelsLastRank(tensor.logical_shape.size());
  }

  // Tensors that an elementwise stage reads or writes in step want the same layout.
  void Propagate() {
    wants_.assign(graph_.tensors.size(), false);
    for (size_t t = 0; t < wants_.size(); ++t)
      wants_[t] = graph_.tensors[t].is_image && MayPermute(static_cast<int>(t));
    for (bool changed = true; changed;) {
      changed = false;
      for (const GraphStage& graph_stage : graph_.stages) {
        const Stage& stage = graph_stage.stage;
        if (stage.reduction != Reduction::kNone) continue;
        std::vector<int> together = {stage.output};
        expr::Visit(stage.value, [&](const ExprNode& node) {
          if (node.op == ExprOp::kLoad && MayPermute(node.id) && IsAligned(node.args, stage.output_index))
            together.push_back(node.id);
        });
        if (std::none_of(together.begin(), together.end(), [&](int t) { return wants_[t]; })) continue;
        for (int t : together) {
          if (wants_[t] || !MayPermute(t)) continue;
          wants_[t] = changed = true;
        }
      }
    }
  }

  // A tensor of the same logical shape as `t`, to take one of its two layouts.
  int Twin(int t) {
    Tensor tensor = graph_.tensors[t].tensor;
    tensor.role = TensorRole::kTemporary;
    tensor.value_bound = 0;
    wants_.push_back(false);
    return AddTensor(&graph_, std::move(tensor));
  }

  GraphStage Copy(int from, int to) const {
    const GraphTensor& tensor = graph_.tensors[from];
    GraphStage copy;
    copy.name = tensor.tensor.name;
    copy.op = "Layout";
    copy.stage.output = to;
    for (int64_t extent : tensor.logical_shape) copy.stage.axes.push_back({"i", extent});
    copy.stage.output_index = IdentityIndex(static_cast<int>(tensor.logical_shape.size()));
    copy.stage.value = expr::Load(from, tensor.tensor.dtype, copy.stage.output_index);
    return copy;
  }

  void ReplaceLoads(int from, int to) {
    for (GraphStage& stage : graph_.stages) {
      stage.stage.value = expr::Rewrite(stage.stage.value, [&](const Expr& e) -> Expr {
        return e->op == ExprOp::kLoad && e->id == from ? expr::Load(to, e->dtype, e->args) : nullptr;
      });
    }
  }

  // After which stage `t` is complete; that of a twin is where its copy goes.
  int LastProducer(int t) const {
    if (const auto moved = complete_after_.find(t); moved != complete_after_.end()) return moved->second;
    int last = -1;
    for (size_t s = 0; s < graph_.stages.size(); ++s) {
      if (graph_.stages[s].stage.output == t) last = static_cast<int>(s);
    }
    return last;
  }

  // Where a tensor that wants channels last must stay row-major (graph inputs and outputs, aliases and what they are
  // aliases of), a twin takes the other layout.
  void Split() {
    std::map<int, std::vector<GraphStage>> after;  // copies by the stage they follow
    const int count = static_cast<int>(graph_.tensors.size());
    for (int t = 0; t < count; ++t) {
      if (!wants_[t]) continue;
      const TensorRole role = graph_.tensors[t].tensor.role;
      const bool neutral = IsLayoutNeutral(graph_.tensors[t].logical_shape);
      if (role == TensorRole::kInput || graph_.tensors[t].alias_of >= 0) {
        const int twin = Twin(t);
        wants_[t] = false;
        wants_[twin] = true;
        ReplaceLoads(t, twin);
        const int last = LastProducer(StorageOf(graph_, t));
        complete_after_[twin] = last;
        after[last].push_back(Copy(t, twin));
      } else if (role == TensorRole::kOutput) {
        const int twin = Twin(t);
        wants_[t] = false;
        wants_[twin] = true;
        ReplaceLoads(t, twin);
        complete_after_[t] = LastProducer(t);
        after[complete_after_[t]].push_back(Copy(twin, t));
        for (GraphStage& stage : graph_.stages) {
          if (stage.stage.output == t) stage.stage.output = twin;
        }
      } else if (!neutral && HasAliases(t)) {
        const int twin = Twin(t);
        for (GraphTensor& tensor : graph_.tensors) {
          if (tensor.alias_of == t) tensor.alias_of = twin;
        }
        complete_after_[twin] = LastProducer(t);
        after[complete_after_[twin]].push_back(Copy(t, twin));
      }
    }
    std::vector<GraphStage> stages = std::move(after[-1]);
    for (size_t s = 0; s < graph_.stages.size(); ++s) {
      stages.push_back(std::move(graph_.stages[s]));
      for (GraphStage& copy : after[static_cast<int>(s)]) stages.push_back(std::move(copy));
    }
    graph_.stages = std::move(stages);
  }

  bool HasAliases(int t) const {
    return std::any_of(graph_.tensors.begin(), graph_.tensors.end(),
                       [&](const GraphTensor& tensor) { return tensor.alias_of == t; });
  }

  void Permute(int t) {
    GraphTensor& tensor = graph_.tensors[t];
    tensor.permutation = ChannelsLast(tensor.logical_shape.size());
    for (size_t d = 0; d < tensor.permutation.size(); ++d)
      tensor.tensor.shape[d] = tensor.logical_shape[tensor.permutation[d]];
  }

  std::vector<Expr> PhysicalIndex(int t, const std::vector<Expr>& logical) const {
    const std::vector<int>& permutation = graph_.tensors[t].permutation;
    if (permutation.empty()) return logical;
    std::vector<Expr> physical;
    for (int d : permutation) physical.push_back(logical[d]);
    return physical;
  }

  // Permutes the indices, then orders the axes as the output is stored and the reduced ones as the first load reads.
  void RewriteStage(Stage* stage) const {
    stage->output_index = PhysicalIndex(stage->output, stage->output_index);
    const std::vector<Expr>* first_load = nullptr;
    stage->value = expr::Rewrite(stage->value, [&](const Expr& e) -> Expr {
      return e->op == ExprOp::kLoad ? expr::Load(e->id, e->dtype, PhysicalIndex(e->id, e->args)) : nullptr;
    });
    expr::Visit(stage->value, [&](const ExprNode& node) {
      if (node.op == ExprOp::kLoad && first_load == nullptr) first_load = &node.args;
    });
    const int num_axes = static_cast<int>(stage->axes.size()),
              total = num_axes + static_cast<int>(stage->reduce_axes.size());
    std::vector<int> order(total);
    std::iota(order.begin(), order.end(), 0);
    SortAxes(stage->output_index, order.begin(), order.begin() + num_axes);
    if (first_load != nullptr) SortAxes(*first_load, order.begin() + num_axes, order.end());
    std::vector<Expr> replacement(total);
    std::vector<Axis> axes, reduce_axes;
    for (int i = 0; i < total; ++i) {
      replacement[order[i]] = expr::Index(i);
      const bool reduced = order[i] >= num_axes;
      (reduced ? reduce_axes : axes)
          .push_back(reduced ? stage->reduce_axes[order[i] - num_axes] : stage->axes[order[i]]);
    }
    for (Expr& e : stage->output_index) e = expr::SubstituteIndices(e, replacement);
    stage->value = expr::SubstituteIndices(stage->value, replacement);
    stage->axes = std::move(axes);
    stage->reduce_axes = std::move(reduce_axes);
  }

  // Stable by the first dimension of `index` in which an axis occurs.
  static void SortAxes(const std::vector<Expr>& index, std::vector<int>::iterator begin,
                       std::vector<int>::iterator end) {
    std::map<int, size_t> first;
    for (size_t d = 0; d < index.size(); ++d) {
      expr::Visit(index[d], [&](const ExprNode& node) {
        if (node.op == ExprOp::kIndex) first.emplace(node.id, d);
      });
    }
    const auto key = [&](int axis) { return first.count(axis) != 0 ? first[axis] : index.size(); };
    std::stable_sort(begin, end, [&](int a, int b) { return key(a) < key(b); });
  }

  bool IsIdentityCopy(const Stage& stage) const {
    if (stage.reduction != Reduction::kNone || stage.value->op != ExprOp::kLoad) return false;
    const Tensor &from = graph_.tensors[stage.value->id].tensor, &to = graph_.tensors[stage.output].tensor;
    if (from.dtype != to.dtype || NumElements(from.shape) != NumElements(to.shape)) return false;
    const int num_axes = static_cast<int>(stage.axes.size());
    auto load = LinearOffset(stage.value->args, from.shape, num_axes),
         store = LinearOffset(stage.output_index, to.shape, num_axes);
    if (!load || !store) return false;
    for (int i = 0; i < num_axes; ++i) {
      if (stage.axes[i].extent == 1) load->coefficients[i] = store->coefficients[i] = 0;
    }
    int64_t points = 1;
    for (const Axis& axis : stage.axes) points *= axis.extent;
    return *load == *store && points == NumElements(to.shape);
  }

  // Such a copy becomes an alias, where the output may be one.
  void RemoveIdentityCopies() {
    std::vector<bool> backs_output(graph_.tensors.size(), false);
    for (int output : graph_.outputs) backs_output[StorageOf(graph_, output)] = true;
    std::vector<GraphStage> kept;
    for (GraphStage& stage : graph_.stages) {
      const int to = stage.stage.output;
      if (!IsIdentityCopy(stage.stage)) {
        kept.push_back(std::move(stage));
        continue;
      }
      const int storage = StorageOf(graph_, stage.stage.value->id);
      const Tensor& source = graph_.tensors[storage].tensor;
      if (graph_.tensors[storage].data != nullptr ||
          (backs_output[to] && (source.role != TensorRole::kTemporary || backs_output[storage]))) {
        kept.push_back(std::move(stage));
        continue;
      }
      if (backs_output[to]) backs_output[storage] = true;
      for (GraphTensor& tensor : graph_.tensors) {
        if (tensor.alias_of == to) tensor.alias_of = storage;
      }
      graph_.tensors[to].alias_of = storage;
    }
    graph_.stages = std::move(kept);
  }

  Graph& graph_;
  std::vector<bool> wants_;  // channels last
  std::map<int, int> complete_after_;
};

}  // namespace

void AssignLayouts(Graph* graph) { LayoutPass(graph).Run(); }

}  // namespace tilth
