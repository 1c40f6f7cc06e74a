#include "compiler/graph/partition.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/strings.h"
#include "compiler/graph/kernel_name.h"
#include "compiler/graph/passes.h"

namespace tilth {
namespace {

bool IsContractionGroup(const Graph& graph, const std::vector<int>& group) {
  return graph.stages[group[0]].stage.reduction != Reduction::kNone && IsContraction(graph.stages[group[0]].stage);
}

// Removes axes of extent 1: rowwise and elementwise kernels have no use for them, and equal structures become equal.
void DropUnitAxes(Stage* stage) {
  const int num_axes = static_cast<int>(stage->axes.size()),
            total = num_axes + static_cast<int>(stage->reduce_axes.size());
  std::vector<Expr> replacement(total);
  std::vector<Axis> axes, reduce_axes;
  for (int i = 0, next = 0; i < total; ++i) {
    const Axis& axis = i < num_axes ? stage->axes[i] : stage->reduce_axes[i - num_axes];
    const bool last_reduced = i == total - 1 && i >= num_axes && reduce_axes.empty();
    if (axis.extent == 1 && !last_reduced) {
      replacement[i] = expr::Int(0);
      continue;
    }
    replacement[i] = expr::Index(next++);
    (i < num_axes ? axes : reduce_axes).push_back(axis);
  }
  stage->axes = std::move(axes);
  stage->reduce_axes = std::move(reduce_axes);
  stage->value = expr::SubstituteIndices(stage->value, replacement);
  for (Expr& e : stage->output_index) e = expr::SubstituteIndices(e, replacement);
}

class Cutter {
 public:
  explicit Cutter(Partition* partition) : partition_(*partition), graph_(partition->graph) {}

  Status Run() {
    const std::vector<std::vector<int>> groups = GroupStages(&graph_);
    consumers_ = ConsumersOf(graph_);
    producers_ = ProducersOf(graph_);
    has_alias_.assign(graph_.tensors.size(), false);
    for (const GraphTensor& tensor : graph_.tensors) {
      if (tensor.alias_of >= 0) has_alias_[tensor.alias_of] = true;
    }
    std::vector<GraphStage> ordered;
    for (const std::vector<int>& group : groups) {
      TILTH_RETURN_IF_ERROR(AddCall(group));
      for (int s : group) ordered.push_back(graph_.stages[s]);
    }
    graph_.stages = std::move(ordered);
    return absl::OkStatus();
  }

 private:
  Status AddCall(const std::vector<int>& group) {
    KernelCall call;
    call.name = graph_.stages[group[0]].name;
    Workload workload = MakeWorkload(group, &call.tensors);
    if (Status status = Validate(workload); !status.ok()) {
      return absl::InternalError(
          StrCat("kernel of '", call.name, "' (", graph_.stages[group[0]].op, ") is not valid: ", status.message()));
    }
    const auto [known, is_new] =
        by_hash_.emplace(StructuralHash(workload), static_cast<int>(partition_.workloads.size()));
    call.workload = known->second;
    if (is_new) {
      partition_.workloads.push_back(std::move(workload));
      partition_.weights.push_back(0);
    }
    ++partition_.weights[call.workload];
    partition_.calls.push_back(std::move(call));
    return absl::OkStatus();
  }

  bool IsUsedOutside(int tensor, const std::set<int>& group) const {
    if (graph_.tensors[tensor].tensor.role == TensorRole::kOutput || has_alias_[tensor]) return true;
    return std::any_of(consumers_[tensor].begin(), consumers_[tensor].end(),
                       [&](int s) { return group.count(s) == 0; });
  }

  Workload MakeWorkload(const std::vector<int>& group, std::vector<int>* call_tensors) {
    const std::set<int> members(group.begin(), group.end());
    std::vector<int> read, written, temporary;
    const auto add_once = [](std::vector<int>* list, int tensor) {
      if (std::find(list->begin(), list->end(), tensor) == list->end()) list->push_back(tensor);
    };
    for (int s : group)
      add_once(IsUsedOutside(graph_.stages[s].stage.output, members) ? &written : &temporary,
               graph_.stages[s].stage.output);
    const auto is_made_here = [&](int tensor) {
      return std::count(written.begin(), written.end(), tensor) +
                 std::count(temporary.begin(), temporary.end(), tensor) >
             0;
    };
    // A tensor that several kernels store slices of may be read and written by one of them: it is an input and an
    // output then, with the same bytes.
    for (int s : group) {
      for (int tensor : LoadedTensors(graph_.stages[s].stage)) {
        if (!is_made_here(tensor) || producers_[tensor].size() > 1) add_once(&read, tensor);
      }
    }
    *call_tensors = read;
    call_tensors->insert(call_tensors->end(), written.begin(), written.end());
    std::vector<int> all = *call_tensors;
    all.insert(all.end(), temporary.begin(), temporary.end());

    Workload workload;
    workload.name = KernelName(graph_, group);
    std::map<int, int> stored, loaded;
    for (size_t i = 0; i < all.size(); ++i) {
      Tensor copy = graph_.tensors[all[i]].tensor;
      if (i < read.size()) {
        copy.role = graph_.tensors[all[i]].data != nullptr ? TensorRole::kConstant : TensorRole::kInput;
      } else {
        copy.role = i < call_tensors->size() ? TensorRole::kOutput : TensorRole::kTemporary;
        stored[all[i]] = static_cast<int>(i);
      }
      loaded.emplace(all[i], static_cast<int>(i));
      copy.value_bound = 0;
      workload.tensors.push_back(std::move(copy));
    }
    const bool keep_axes = IsContractionGroup(graph_, group);
    for (int s : group) {
      Stage stage = graph_.stages[s].stage;
      stage.output = stored[stage.output];
      stage.value = expr::Rewrite(stage.value, [&](const Expr& e) -> Expr {
        return e->op == ExprOp::kLoad ? expr::Load(loaded[e->id], e->dtype, e->args) : nullptr;
      });
      if (!keep_axes && !IsWindow(graph_.stages[group[0]].stage)) DropUnitAxes(&stage);
      workload.stages.push_back(std::move(stage));
    }
    SetValueBounds(&workload);
    return workload;
  }

  // Sliding windows keep their axes as convolutions do; their reduced axes are named taps.
  static bool IsWindow(const Stage& stage) {
    return !stage.reduce_axes.empty() && stage.axes.size() >= 3 && stage.reduce_axes[0].name == "r";
  }

  static void SetValueBounds(Workload* workload) {
    std::vector<const Tensor*> tensors;
    for (const Tensor& tensor : workload->tensors) tensors.push_back(&tensor);
    for (size_t t = 0; t < workload->tensors.size(); ++t) {
      Tensor& tensor = workload->tensors[t];
      if (IsFloat(tensor.dtype) || tensor.dtype == DType::kBool) continue;
      int64_t bound = 0;
      for (const Stage& stage : workload->stages) {
        const int64_t here = IndexBound(stage, static_cast<int>(t), tensors);
        bound = bound == 0 || here == 0 ? std::max(bound, here) : std::min(bound, here);
      }
      tensor.value_bound = bound;
    }
  }

  Partition& partition_;
  Graph& graph_;
  std::vector<std::vector<int>> consumers_, producers_;
  std::vector<bool> has_alias_;
  std::map<std::string, int> by_hash_;
};

}  // namespace

StatusOr<Partition> PartitionGraph(Graph graph) {
  Partition partition;
  partition.graph = std::move(graph);
  ComposeShuffles(&partition.graph);
  FoldBatchNormalizations(&partition.graph);
  AssignLayouts(&partition.graph);
  RemoveDeadStages(&partition.graph);
  InlineStages(&partition.graph);
  RedirectStores(&partition.graph);
  TILTH_RETURN_IF_ERROR(Cutter(&partition).Run(), "partitioning ", partition.graph.name);
  return partition;
}

}  // namespace tilth
