#include "compiler/package/model_planner.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "compiler/package/constant_packer.h"
#include "compiler/package/memory_planner.h"
#include "compiler/package/weight_store.h"

namespace tilth {
namespace {

void MarkLoads(const Expr& e, std::vector<bool>* used) {
  if (e == nullptr) return;
  expr::Visit(e, [&](const ExprNode& node) {
    if (node.op == ExprOp::kLoad) (*used)[node.id] = true;
  });
}

void MarkLoads(const StmtList& statements, std::vector<bool>* used) {
  for (const Stmt& statement : statements) {
    for (const Expr& e : {statement.extent, statement.condition, statement.index, statement.value}) MarkLoads(e, used);
    MarkLoads(statement.body, used);
    MarkLoads(statement.else_body, used);
  }
}

// Which buffers the run phases of a program read.
std::vector<bool> ReadAtRun(const LoopProgram& program) {
  std::vector<bool> used(program.buffers.size(), false);
  for (const LoopPhase& phase : program.phases) {
    if (!phase.prepare) MarkLoads(phase.body, &used);
  }
  return used;
}

bool HasPreparePhases(const LoopProgram& program) {
  return std::any_of(program.phases.begin(), program.phases.end(), [](const LoopPhase& p) { return p.prepare; });
}

class ModelPlanner {
 public:
  ModelPlanner(const Partition& partition, const std::vector<LoopProgram>& programs)
      : partition_(partition), programs_(programs), locations_(partition.graph.tensors.size()) {
    for (const LoopProgram& program : programs) read_at_run_.push_back(ReadAtRun(program));
    packers_.resize(programs.size());
  }

  StatusOr<ModelPlan> Plan() {
    BindInputsAndOutputs();
    PlanArena();
    for (size_t call = 0; call < partition_.calls.size(); ++call) {
      const KernelCall& kernel_call = partition_.calls[call];
      TILTH_RETURN_IF_ERROR(BindCall(static_cast<int>(call)), "planning kernel ", kernel_call.name);
    }
    CopyRemainingOutputs();
    plan_.weights = weights_.bytes();
    return std::move(plan_);
  }

 private:
  const Graph& graph() const { return partition_.graph; }

  int Root(int tensor) const { return StorageOf(graph(), tensor); }

  // The constant behind a tensor, or null.
  const TensorValue* ConstantOf(int tensor) const { return graph().tensors[Root(tensor)].data.get(); }

  void BindInputsAndOutputs() {
    for (size_t i = 0; i < graph().inputs.size(); ++i) {
      locations_[Root(graph().inputs[i])] = {TILTH_SPACE_INPUT, static_cast<int64_t>(i)};
    }
    for (size_t i = 0; i < graph().outputs.size(); ++i) {
      const int root = Root(graph().outputs[i]);
      const bool elsewhere = locations_[root].space != TILTH_SPACE_NONE || graph().tensors[root].data != nullptr;
      if (!elsewhere) locations_[root] = {TILTH_SPACE_OUTPUT, static_cast<int64_t>(i)};
      copied_outputs_.push_back(elsewhere);
    }
  }

  // Tensors between kernels live from their first writer to their last reader; workspaces for one call.
  void PlanArena() {
    std::vector<BufferLifetime> lifetimes;
    std::map<int, size_t> lifetime_of_tensor;
    std::vector<std::pair<int, int>> workspaces;  // (call, buffer) of the lifetimes after the tensors'
    const int num_calls = static_cast<int>(partition_.calls.size());
    for (int call = 0; call < num_calls; ++call) {
      for (const int tensor : partition_.calls[call].tensors) {
        const int root = Root(tensor);
        if (graph().tensors[root].data != nullptr || locations_[root].space != TILTH_SPACE_NONE) continue;
        const auto [entry, is_new] = lifetime_of_tensor.emplace(root, lifetimes.size());
        if (is_new) lifetimes.push_back({SizeInBytes(graph().tensors[root].tensor), call, call});
        lifetimes[entry->second].last_call = call;
      }
    }
    const size_t num_tensors = lifetimes.size();
    for (int call = 0; call < num_calls; ++call) {
      const LoopProgram& program = programs_[partition_.calls[call].workload];
      for (size_t b = 0; b < program.buffers.size(); ++b) {
        if (program.buffers[b].scope != BufferScope::kWorkspace) continue;
        lifetimes.push_back({AllocatedBytes(program.buffers[b]), call, call});
        workspaces.emplace_back(call, static_cast<int>(b));
      }
    }
    const MemoryPlan memory = PlanMemory(lifetimes);
    plan_.arena_bytes = memory.arena_bytes;
    for (const auto& [root, lifetime] : lifetime_of_tensor) {
      locations_[root] = {TILTH_SPACE_ARENA, memory.offsets[lifetime]};
    }
    for (size_t i = 0; i < workspaces.size(); ++i) workspaces_[workspaces[i]] = memory.offsets[num_tensors + i];
  }

  TilthPlanBinding BindConstant(const TensorValue& value) {
    const std::string_view bytes(reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size());
    return {TILTH_SPACE_WEIGHTS, weights_.Add(bytes)};
  }

  TilthPlanBinding BindTensor(int tensor) {
    const TensorValue* constant = ConstantOf(tensor);
    return constant != nullptr ? BindConstant(*constant) : locations_[Root(tensor)];
  }

  Status BindCall(int call) {
    const KernelCall& kernel_call = partition_.calls[call];
    const LoopProgram& program = programs_[kernel_call.workload];
    const std::vector<bool>& read = read_at_run_[kernel_call.workload];
    TILTH_ASSIGN_OR_RETURN(const std::vector<std::string> packed, PackConstants(kernel_call));
    std::vector<TilthPlanBinding> bindings;
    for (size_t b = 0; b < program.buffers.size(); ++b) {
      const LoopBuffer& buffer = program.buffers[b];
      if (!IsKernelArgument(buffer)) continue;
      switch (buffer.scope) {
        case BufferScope::kArgument: {
          const bool dropped = buffer.argument == ArgumentKind::kConstant && !read[b];
          bindings.push_back(dropped ? TilthPlanBinding{TILTH_SPACE_NONE, 0} : BindTensor(kernel_call.tensors[b]));
          break;
        }
        case BufferScope::kPacked:
          bindings.push_back(read[b] ? TilthPlanBinding{TILTH_SPACE_WEIGHTS, weights_.Add(packed[b])}
                                     : TilthPlanBinding{TILTH_SPACE_NONE, 0});
          break;
        case BufferScope::kWorkspace:
          bindings.push_back({TILTH_SPACE_ARENA, workspaces_.at({call, static_cast<int>(b)})});
          break;
        default:
          break;
      }
    }
    plan_.calls.push_back(std::move(bindings));
    return absl::OkStatus();
  }

  StatusOr<std::vector<std::string>> PackConstants(const KernelCall& call) {
    const LoopProgram& program = programs_[call.workload];
    if (!HasPreparePhases(program)) return std::vector<std::string>(program.buffers.size());
    if (packers_[call.workload] == nullptr) {
      TILTH_ASSIGN_OR_RETURN(packers_[call.workload], ConstantPacker::Create(program));
    }
    std::vector<const void*> buffers(program.buffers.size(), nullptr);
    for (size_t b = 0; b < call.tensors.size(); ++b) {
      const TensorValue* constant = ConstantOf(call.tensors[b]);
      if (constant != nullptr) buffers[b] = constant->bytes.data();
    }
    return packers_[call.workload]->Pack(buffers);
  }

  void CopyRemainingOutputs() {
    for (size_t i = 0; i < graph().outputs.size(); ++i) {
      if (!copied_outputs_[i]) continue;
      const int output = graph().outputs[i];
      plan_.copies.push_back(
          {BindTensor(output), static_cast<int64_t>(i), SizeInBytes(graph().tensors[output].tensor)});
    }
  }

  const Partition& partition_;
  const std::vector<LoopProgram>& programs_;
  std::vector<TilthPlanBinding> locations_;               // per graph tensor that owns its bytes
  std::vector<bool> copied_outputs_;                      // per graph output: not written by a kernel directly
  std::map<std::pair<int, int>, int64_t> workspaces_;     // (call, buffer) → offset into the arena
  std::vector<std::vector<bool>> read_at_run_;            // per workload and buffer
  std::vector<std::unique_ptr<ConstantPacker>> packers_;  // per workload, made when first needed
  WeightStore weights_;
  ModelPlan plan_;
};

}  // namespace

StatusOr<ModelPlan> PlanModel(const Partition& partition, const std::vector<LoopProgram>& programs) {
  TILTH_CHECK(programs.size() == partition.workloads.size());
  return ModelPlanner(partition, programs).Plan();
}

}  // namespace tilth
