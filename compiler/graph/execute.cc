#include "compiler/graph/execute.h"

#include <algorithm>
#include <memory>

#include "absl/strings/str_join.h"
#include "base/strings.h"

namespace tilth {
namespace {

std::string TypeText(DType dtype, const std::vector<int64_t>& shape) {
  return StrCat(ToString(dtype), "[", absl::StrJoin(shape, ","), "]");
}

// The values of a graph's tensors while it runs; those of an alias share the bytes of its storage.
class Values {
 public:
  explicit Values(const Graph& graph) : graph_(graph), values_(graph.tensors.size()) {
    for (size_t t = 0; t < values_.size(); ++t) values_[t] = graph.tensors[t].data;
  }

  Status SetInputs(const std::vector<TensorValue>& inputs) {
    if (inputs.size() != graph_.inputs.size()) {
      return absl::InvalidArgumentError(StrCat("the model has ", graph_.inputs.size(), " inputs, got ", inputs.size()));
    }
    for (size_t i = 0; i < inputs.size(); ++i) {
      const Tensor& tensor = graph_.tensors[graph_.inputs[i]].tensor;
      if (inputs[i].dtype != tensor.dtype || inputs[i].shape != tensor.shape) {
        return absl::InvalidArgumentError(StrCat("input '", tensor.name, "' must be ",
                                                 TypeText(tensor.dtype, tensor.shape), ", got ",
                                                 TypeText(inputs[i].dtype, inputs[i].shape)));
      }
      values_[graph_.inputs[i]] = std::make_shared<TensorValue>(inputs[i]);
    }
    return absl::OkStatus();
  }

  // Null before it is written.
  const TensorValue* Read(int tensor) {
    const int storage = StorageOf(graph_, tensor);
    if (values_[tensor] == nullptr && storage != tensor && values_[storage] != nullptr) {
      const TensorValue& source = *values_[storage];
      values_[tensor] =
          std::make_shared<TensorValue>(TensorValue{source.dtype, graph_.tensors[tensor].tensor.shape, source.bytes});
    }
    return values_[tensor].get();
  }

  // The value to write to, which keeps what earlier stages wrote.
  TensorValue* Write(int tensor) {
    const Tensor& description = graph_.tensors[tensor].tensor;
    if (values_[tensor] == nullptr)
      values_[tensor] = std::make_shared<TensorValue>(ZeroValue(description.dtype, description.shape));
    // Only values made here are written to.
    return const_cast<TensorValue*>(values_[tensor].get());
  }

  std::vector<TensorValue> Outputs() {
    std::vector<TensorValue> outputs;
    for (int output : graph_.outputs) {
      const TensorValue* value = Read(output);
      outputs.push_back(value != nullptr
                            ? *value
                            : ZeroValue(graph_.tensors[output].tensor.dtype, graph_.tensors[output].tensor.shape));
    }
    return outputs;
  }

 private:
  const Graph& graph_;
  std::vector<std::shared_ptr<const TensorValue>> values_;
};

}  // namespace

StatusOr<std::vector<TensorValue>> ExecuteReference(const Graph& graph, const std::vector<TensorValue>& inputs) {
  Values values(graph);
  TILTH_RETURN_IF_ERROR(values.SetInputs(inputs));
  std::vector<const TensorValue*> loads(graph.tensors.size(), nullptr);
  for (const GraphStage& stage : graph.stages) {
    for (int tensor : LoadedTensors(stage.stage)) loads[tensor] = values.Read(tensor);
    TILTH_RETURN_IF_ERROR(InterpretStage(stage.stage, loads, values.Write(stage.stage.output)), stage.op, " '",
                          stage.name, "'");
  }
  return values.Outputs();
}

StatusOr<std::vector<TensorValue>> ExecuteReference(const Partition& partition,
                                                    const std::vector<TensorValue>& inputs) {
  Values values(partition.graph);
  TILTH_RETURN_IF_ERROR(values.SetInputs(inputs));
  for (const KernelCall& call : partition.calls) {
    const Workload& workload = partition.workloads[call.workload];
    std::vector<TensorValue> locals(workload.tensors.size());
    for (size_t t = 0; t < call.tensors.size(); ++t) {
      if (workload.tensors[t].role == TensorRole::kOutput) continue;
      const TensorValue* value = values.Read(call.tensors[t]);
      if (value == nullptr)
        return absl::InternalError(StrCat("kernel ", call.name, " reads a tensor before it is written"));
      locals[t] = {value->dtype, workload.tensors[t].shape, value->bytes};
    }
    TILTH_RETURN_IF_ERROR(Interpret(workload, &locals), "kernel ", call.name);
    // A kernel may write one slice of its output: only what its stages store is copied.
    for (size_t t = 0; t < call.tensors.size(); ++t) {
      if (workload.tensors[t].role != TensorRole::kOutput) continue;
      TensorValue* output = values.Write(call.tensors[t]);
      TensorValue written = ZeroValue(DType::kBool, workload.tensors[t].shape);
      for (const Stage& stage : workload.stages) {
        if (stage.output != static_cast<int>(t)) continue;
        Stage mark{stage.output, stage.axes, {}, Reduction::kNone, stage.output_index, expr::Bool(true)};
        TILTH_RETURN_IF_ERROR(InterpretStage(mark, {}, &written));
      }
      const int64_t width = SizeInBytes(output->dtype);
      for (size_t i = 0; i < written.bytes.size(); ++i) {
        if (written.bytes[i] != 0)
          std::copy_n(locals[t].bytes.data() + i * width, width, output->bytes.data() + i * width);
      }
    }
  }
  return values.Outputs();
}

}  // namespace tilth
