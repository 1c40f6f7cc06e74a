// Partition: a graph cut into kernels. Each kernel is a fused Workload, equal workloads are shared, and the calls say
// which tensors of the graph a kernel works on.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "compiler/graph/graph.h"
#include "ir/workload.h"

namespace tilth {

// One execution of a workload. `tensors[i]` is the graph tensor for the i-th input, constant or output tensor of the
// workload, in the workload's own order (temporaries, which come last in it, have none). Shapes need not be equal,
// bytes are. Several calls may write slices of one output tensor, and a call may read one slice of a tensor and write
// another: the tensor is there twice then, as input and as output.
struct KernelCall {
  int workload = -1;
  std::vector<int> tensors;
  std::string name;  // of the first ONNX node in it; for people
};

struct Partition {
  Graph graph;                      // after layout and fusion; its stages are those of all calls
  std::vector<Workload> workloads;  // no two with one StructuralHash
  std::vector<int> weights;         // calls of each workload
  std::vector<KernelCall> calls;    // in the order of execution
};

// Folds batch normalisations into weights, assigns layouts, fuses, and cuts. Every workload is valid and has one of the
// forms that search_space handles:
//   contraction  sum of products of two loads (the left one may be padded), then at most one elementwise stage
//   window       another reduction over axes that are not the innermost, then at most one elementwise stage
//   rowwise      stages that share leading row axes, with reductions over trailing axes
//   elementwise  one stage without a reduction
// An error is a bug of import or of a pass, told as INTERNAL with the name of the stage.
StatusOr<Partition> PartitionGraph(Graph graph);

}  // namespace tilth
