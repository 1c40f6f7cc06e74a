#include <algorithm>
#include <set>

#include "compiler/graph/passes.h"

namespace tilth {
namespace {

// Extents that matter: those above 1.
std::vector<int> RealAxes(const std::vector<Axis>& axes) {
  std::vector<int> real;
  for (size_t a = 0; a < axes.size(); ++a) {
    if (axes[a].extent > 1) real.push_back(static_cast<int>(a));
  }
  return real;
}

// A reduction whose first load reads a reduced axis innermost, one element after the other.
bool IsRowReduction(const Stage& stage) {
  if (stage.reduction == Reduction::kNone || IsContraction(stage)) return false;
  bool found = false, innermost = false;
  expr::Visit(stage.value, [&](const ExprNode& node) {
    if (node.op != ExprOp::kLoad || found || node.args.empty()) return;
    found = true;
    for (auto index = node.args.rbegin(); index != node.args.rend(); ++index) {
      if (expr::IsIntConst(*index, 0)) continue;
      if ((*index)->op != ExprOp::kIndex) return;
      const int axis = (*index)->id - static_cast<int>(stage.axes.size());
      innermost = axis >= 0;
      // Axes of extent 1 behind it move nothing.
      if (axis < 0 && stage.axes[(*index)->id].extent == 1) continue;
      if (axis >= 0 && stage.reduce_axes[axis].extent == 1) continue;
      return;
    }
  });
  return innermost;
}

class Grouper {
 public:
  explicit Grouper(Graph* graph)
      : graph_(*graph),
        consumers_(ConsumersOf(*graph)),
        producers_(ProducersOf(*graph)),
        group_of_(graph->stages.size(), -1) {
    has_alias_.assign(graph->tensors.size(), false);
    for (const GraphTensor& tensor : graph->tensors) {
      if (tensor.alias_of >= 0) has_alias_[tensor.alias_of] = true;
    }
    FindSuccessors();
  }

  std::vector<std::vector<int>> Run() {
    const int count = static_cast<int>(graph_.stages.size());
    // From the end, so that an elementwise stage joins the last of the reductions it reads.
    for (int s = count - 1; s >= 0; --s) {
      const Stage& stage = graph_.stages[s].stage;
      if (stage.reduction != Reduction::kNone && !IsRowReduction(stage)) AddEpilogue(s);
    }
    for (int s = 0; s < count; ++s) {
      if (group_of_[s] < 0 && IsRowReduction(graph_.stages[s].stage)) AddRows(s);
    }
    for (int s = 0; s < count; ++s) {
      if (group_of_[s] < 0) NewGroup({s});
    }
    return Ordered();
  }

 private:
  void NewGroup(const std::vector<int>& stages) {
    for (int s : stages) group_of_[s] = static_cast<int>(groups_.size());
    groups_.push_back(stages);
  }

  // Later stages that read what a stage stores, through aliases, too. Earlier readers of the same tensor read slices
  // that other stages stored.
  void FindSuccessors() {
    successors_.resize(graph_.stages.size());
    std::vector<std::vector<int>> readers(graph_.tensors.size());  // by storage
    for (size_t t = 0; t < graph_.tensors.size(); ++t) {
      std::vector<int>& list = readers[StorageOf(graph_, static_cast<int>(t))];
      list.insert(list.end(), consumers_[t].begin(), consumers_[t].end());
    }
    for (int s = 0; s < static_cast<int>(graph_.stages.size()); ++s) {
      for (int reader : readers[StorageOf(graph_, graph_.stages[s].stage.output)]) {
        if (reader > s) successors_[s].push_back(reader);
      }
    }
  }

  void AddEpilogue(int s) {
    const Stage& reduction = graph_.stages[s].stage;
    const int t = reduction.output;
    const GraphTensor& tensor = graph_.tensors[t];
    std::vector<int> group = {s};
    if (tensor.tensor.role == TensorRole::kTemporary && !has_alias_[t] && tensor.alias_of < 0 &&
        consumers_[t].size() == 1 && producers_[t].size() == 1) {
      const int e = consumers_[t][0];
      if (group_of_[e] < 0 && graph_.stages[e].stage.reduction == Reduction::kNone &&
          TakeAxes(reduction, &graph_.stages[e].stage)) {
        group.push_back(e);
      }
    }
    NewGroup(group);
  }

  // Gives the epilogue the axes of the reduction, when it reads each of the reduction's results exactly where it is.
  bool TakeAxes(const Stage& reduction, Stage* epilogue) const {
    const std::vector<int64_t>& shape = graph_.tensors[reduction.output].tensor.shape;
    int64_t points = 1;
    for (const Axis& axis : reduction.axes) points *= axis.extent;
    if (points != NumElements(shape)) return false;
    std::vector<Expr> replacement;
    bool fits = true;
    expr::Visit(epilogue->value, [&](const ExprNode& node) {
      if (node.op != ExprOp::kLoad || node.id != reduction.output || !fits) return;
      std::vector<Expr> here(epilogue->axes.size());
      for (size_t d = 0; d < node.args.size(); ++d) {
        if (expr::IsIntConst(node.args[d], 0) && shape[d] == 1) continue;
        const Expr& index = node.args[d];
        fits &=
            index->op == ExprOp::kIndex && here[index->id] == nullptr && epilogue->axes[index->id].extent == shape[d];
        if (!fits) return;
        here[index->id] = reduction.output_index[d];
      }
      for (size_t a = 0; a < here.size(); ++a) {
        if (here[a] != nullptr) continue;
        fits &= epilogue->axes[a].extent == 1;
        here[a] = expr::Int(0);
      }
      if (!replacement.empty()) {
        for (size_t a = 0; a < here.size(); ++a) fits &= expr::Equal(here[a], replacement[a]);
      }
      replacement = std::move(here);
    });
    if (!fits || !KeepsRows(reduction, *epilogue, replacement)) return false;
    epilogue->value = expr::SubstituteIndices(epilogue->value, replacement);
    for (Expr& e : epilogue->output_index) e = expr::SubstituteIndices(e, replacement);
    epilogue->axes = reduction.axes;
    return true;
  }

  // Whether the epilogue, over the reduction's axes, still stores rows of consecutive elements.
  bool KeepsRows(const Stage& reduction, const Stage& epilogue, const std::vector<Expr>& replacement) const {
    std::vector<Expr> store;
    for (const Expr& e : epilogue.output_index) store.push_back(expr::SubstituteIndices(e, replacement));
    const std::vector<int> real = RealAxes(reduction.axes);
    const auto offset =
        LinearOffset(store, graph_.tensors[epilogue.output].tensor.shape, static_cast<int>(reduction.axes.size()));
    return offset && (real.empty() || offset->coefficients[real.back()] == 1);
  }

  // Collects what belongs to the same rows as reduction `s`: later stages that read the group's results, and
  // elementwise stages right before it.
  void AddRows(int s) {
    const Stage& first = graph_.stages[s].stage;
    if (producers_[first.output].size() != 1) return NewGroup({s});  // readers may mean another slice
    row_extents_.clear();
    for (int a : RealAxes(first.axes)) row_extents_.push_back(first.axes[a].extent);
    std::set<int> group = {s};
    for (int tensor : LoadedTensors(first)) {
      for (int p : producers_[tensor]) {
        if (p < s && graph_.stages[p].stage.reduction == Reduction::kNone && MayJoin(p, group)) group.insert(p);
      }
    }
    for (int next = s + 1; next < static_cast<int>(graph_.stages.size()); ++next) {
      if (ReadsGroup(next, group) && MayJoin(next, group)) group.insert(next);
    }
    NewGroup({group.begin(), group.end()});
  }

  bool ReadsGroup(int s, const std::set<int>& group) const {
    for (int tensor : LoadedTensors(graph_.stages[s].stage)) {
      for (int p : producers_[tensor]) {
        if (group.count(p) != 0) return true;
      }
    }
    return false;
  }

  bool MayJoin(int s, const std::set<int>& group) const {
    const Stage& stage = graph_.stages[s].stage;
    if (group_of_[s] >= 0 || producers_[stage.output].size() != 1) return false;
    const std::vector<int> real = RealAxes(stage.axes);
    const bool reduces = stage.reduction != Reduction::kNone;
    if (reduces ? !IsRowReduction(stage) || real.size() != row_extents_.size() : real.size() < row_extents_.size())
      return false;
    for (size_t r = 0; r < row_extents_.size(); ++r) {
      if (stage.axes[real[r]].extent != row_extents_[r]) return false;
    }
    for (int member : group) {
      if (!SameRows(graph_.stages[member].stage, stage) || !SameRows(stage, graph_.stages[member].stage)) return false;
    }
    return IsConvex(group, s);
  }

  // Whether every load in `reader` of what `writer` stores stays in the reader's own row.
  bool SameRows(const Stage& writer, const Stage& reader) const {
    const std::vector<int> writer_real = RealAxes(writer.axes), reader_real = RealAxes(reader.axes);
    // Which row axis each stored dimension follows; the others belong to the columns.
    bool same = true;
    expr::Visit(reader.value, [&](const ExprNode& node) {
      if (node.op != ExprOp::kLoad || node.id != writer.output) return;
      for (size_t d = 0; d < node.args.size(); ++d) {
        const Expr& stored = writer.output_index[d];
        if (stored->op != ExprOp::kIndex) {
          same &= expr::IsIntConst(stored, 0);
          continue;
        }
        const auto position = std::find(writer_real.begin(), writer_real.end(), stored->id) - writer_real.begin();
        const Expr& loaded = node.args[d];
        if (position == static_cast<std::ptrdiff_t>(writer_real.size())) continue;  // extent 1
        if (loaded->op != ExprOp::kIndex) {
          same = false;
        } else if (position < static_cast<std::ptrdiff_t>(row_extents_.size())) {
          same &= std::find(reader_real.begin(), reader_real.end(), loaded->id) - reader_real.begin() == position;
        }
      }
    });
    return same;
  }

  // Whether no path leaves group + s and comes back: the group could not run as one kernel.
  bool IsConvex(const std::set<int>& group, int s) const {
    std::set<int> members = group;
    members.insert(s);
    const int last = *members.rbegin();
    std::vector<int> pending;
    std::set<int> seen;
    for (int m : members) {
      for (int next : successors_[m]) {
        if (members.count(next) == 0 && seen.insert(next).second) pending.push_back(next);
      }
    }
    while (!pending.empty()) {
      const int at = pending.back();
      pending.pop_back();
      if (at > last) continue;
      std::vector<int> next_stages = successors_[at];
      // A fused neighbour runs as one: what follows any of its stages follows all.
      if (group_of_[at] >= 0) {
        for (int mate : groups_[group_of_[at]])
          next_stages.insert(next_stages.end(), successors_[mate].begin(), successors_[mate].end());
      }
      for (int next : next_stages) {
        if (members.count(next) != 0) return false;
        if (seen.insert(next).second) pending.push_back(next);
      }
    }
    return true;
  }

  // Groups so that each comes after those it reads from; the one whose first stage is earliest comes first.
  std::vector<std::vector<int>> Ordered() const {
    const int count = static_cast<int>(groups_.size());
    std::vector<std::set<int>> next(count);
    std::vector<int> waits(count, 0);
    for (size_t s = 0; s < successors_.size(); ++s) {
      for (int successor : successors_[s]) {
        if (group_of_[s] != group_of_[successor]) next[group_of_[s]].insert(group_of_[successor]);
      }
    }
    for (const std::set<int>& successors : next) {
      for (int group : successors) ++waits[group];
    }
    std::set<std::pair<int, int>> ready;  // (first stage, group)
    for (int g = 0; g < count; ++g) {
      if (waits[g] == 0) ready.emplace(groups_[g].front(), g);
    }
    std::vector<std::vector<int>> ordered;
    while (!ready.empty()) {
      const int g = ready.begin()->second;
      ready.erase(ready.begin());
      ordered.push_back(groups_[g]);
      for (int successor : next[g]) {
        if (--waits[successor] == 0) ready.emplace(groups_[successor].front(), successor);
      }
    }
    TILTH_CHECK(ordered.size() == groups_.size());
    return ordered;
  }

  Graph& graph_;
  std::vector<std::vector<int>> consumers_, producers_;
  std::vector<int> group_of_;
  std::vector<std::vector<int>> groups_;
  std::vector<bool> has_alias_;
  std::vector<std::vector<int>> successors_;
  std::vector<int64_t> row_extents_;
};

}  // namespace

std::vector<std::vector<int>> GroupStages(Graph* graph) { return Grouper(graph).Run(); }

}  // namespace tilth
