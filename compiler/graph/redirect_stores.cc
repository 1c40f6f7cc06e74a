#include <algorithm>

#include "compiler/graph/passes.h"

namespace tilth {
namespace {

class Redirector {
 public:
  explicit Redirector(Graph* graph) : graph_(*graph), has_alias_(graph->tensors.size(), false) {
    for (const GraphTensor& tensor : graph->tensors) {
      if (tensor.alias_of >= 0) has_alias_[tensor.alias_of] = true;
    }
  }

  void Run() {
    for (size_t c = 0; c < graph_.stages.size();) {
      const Stage& copy = graph_.stages[c].stage;
      if (IsCopyOfTemporary(copy) && (RedirectOnlyProducer(copy) || ReplaceBySlice(copy))) {
        graph_.stages.erase(graph_.stages.begin() + static_cast<std::ptrdiff_t>(c));
      } else {
        ++c;
      }
    }
  }

 private:
  bool IsCopyOfTemporary(const Stage& copy) const {
    if (copy.reduction != Reduction::kNone || copy.value->op != ExprOp::kLoad) return false;
    const GraphTensor& from = graph_.tensors[copy.value->id];
    return from.tensor.role == TensorRole::kTemporary && from.alias_of < 0 && !has_alias_[copy.value->id] &&
           from.tensor.dtype == graph_.tensors[copy.output].tensor.dtype;
  }

  std::vector<GraphStage*> ProducersOf(int tensor) const {
    std::vector<GraphStage*> producers;
    for (GraphStage& stage : graph_.stages) {
      if (stage.stage.output == tensor) producers.push_back(&stage);
    }
    return producers;
  }

  int CountConsumers(int tensor) const {
    return static_cast<int>(std::count_if(graph_.stages.begin(), graph_.stages.end(), [&](const GraphStage& stage) {
      const std::vector<int> loaded = LoadedTensors(stage.stage);
      return std::find(loaded.begin(), loaded.end(), tensor) != loaded.end();
    }));
  }

  // The index that the producer must store at for the copy to be done with: the copy visits every element of its source
  // once, in any order of dimensions. Empty if it does not, or if rows would no longer be rows.
  std::vector<Expr> StoreThrough(const Stage& copy, const Stage& producer) const {
    const std::vector<int64_t>& shape = graph_.tensors[producer.output].tensor.shape;
    std::vector<Expr> replacement(copy.axes.size());
    for (size_t d = 0; d < copy.value->args.size(); ++d) {
      const Expr& index = copy.value->args[d];
      if (expr::IsIntConst(index, 0) && shape[d] == 1) continue;
      if (index->op != ExprOp::kIndex || copy.axes[index->id].extent != shape[d] || replacement[index->id]) return {};
      replacement[index->id] = producer.output_index[d];
    }
    for (size_t a = 0; a < copy.axes.size(); ++a) {
      if (replacement[a]) continue;
      if (copy.axes[a].extent != 1) return {};
      replacement[a] = expr::Int(0);
    }
    std::vector<Expr> store;
    for (const Expr& e : copy.output_index) store.push_back(expr::SubstituteIndices(e, replacement));
    const int num_axes = static_cast<int>(producer.axes.size());
    const auto offset = LinearOffset(store, graph_.tensors[copy.output].tensor.shape, num_axes);
    int innermost = num_axes - 1;
    while (innermost >= 0 && producer.axes[innermost].extent == 1) --innermost;
    if (!offset || (innermost >= 0 && offset->coefficients[innermost] != 1)) return {};
    return store;
  }

  // A tensor that one stage makes only to be copied is stored where the copy would put it.
  bool RedirectOnlyProducer(const Stage& copy) {
    const int from = copy.value->id;
    const std::vector<GraphStage*> producers = ProducersOf(from);
    if (producers.size() != 1 || CountConsumers(from) != 1) return false;
    Stage& producer = producers[0]->stage;
    std::vector<Expr> store = StoreThrough(copy, producer);
    if (store.empty()) return false;
    producer.output = copy.output;
    producer.output_index = std::move(store);
    return true;
  }

  // A tensor that is copied as a whole into a slice of another lives in that slice from the beginning, whoever writes
  // and reads it: concatenations of concatenations, as in dense blocks, need no copies.
  bool ReplaceBySlice(const Stage& copy) {
    const int from = copy.value->id, to = copy.output;
    const std::vector<int64_t>& shape = graph_.tensors[from].tensor.shape;
    if (!IsIdentityIndex(copy.value->args, copy.axes) || copy.output_index.size() != shape.size()) return false;
    std::vector<Expr> offsets;
    for (size_t d = 0; d < shape.size(); ++d) {
      auto affine = AsAffine(copy.output_index[d], static_cast<int>(copy.axes.size()));
      if (!affine || copy.axes[d].extent != shape[d] || (shape[d] > 1 && affine->coefficients[d] != 1)) return false;
      affine->coefficients[d] = 0;
      if (std::any_of(affine->coefficients.begin(), affine->coefficients.end(), [](int64_t c) { return c != 0; }))
        return false;
      offsets.push_back(expr::Int(affine->constant));
    }
    const auto moved = [&](std::vector<Expr> index) {
      for (size_t d = 0; d < index.size(); ++d) index[d] = expr::Add(index[d], offsets[d]);
      return index;
    };
    for (GraphStage& stage : graph_.stages) {
      if (&stage.stage == &copy) continue;
      if (stage.stage.output == from) {
        stage.stage.output = to;
        stage.stage.output_index = moved(stage.stage.output_index);
      }
      stage.stage.value = expr::Rewrite(stage.stage.value, [&](const Expr& e) -> Expr {
        return e->op == ExprOp::kLoad && e->id == from ? expr::Load(to, e->dtype, moved(e->args)) : nullptr;
      });
    }
    return true;
  }

  Graph& graph_;
  std::vector<bool> has_alias_;
};

}  // namespace

void RedirectStores(Graph* graph) { Redirector(graph).Run(); }

}  // namespace tilth
