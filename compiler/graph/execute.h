// Runs graphs and partitions with the reference interpreter: the truth that compiled libraries are tested against.
#pragma once

#include <vector>

#include "base/status.h"
#include "compiler/graph/graph.h"
#include "compiler/graph/partition.h"
#include "ir/interpreter.h"

namespace tilth {

// One value per graph input, in the model's order and shape; returns one per graph output. A value of the wrong type or
// shape is an error that names the input.
StatusOr<std::vector<TensorValue>> ExecuteReference(const Graph& graph, const std::vector<TensorValue>& inputs);

// The same through the workloads and calls of a partition: shows that cutting changed nothing.
StatusOr<std::vector<TensorValue>> ExecuteReference(const Partition& partition, const std::vector<TensorValue>& inputs);

}  // namespace tilth
