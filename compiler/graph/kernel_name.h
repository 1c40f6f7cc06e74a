// Names of kernels for people: "conv2d 3x3 64x56x56->64 +relu".
#pragma once

#include <string>
#include <vector>

#include "compiler/graph/graph.h"

namespace tilth {

// The name of the kernel that computes stages `group` of `graph`.
std::string KernelName(const Graph& graph, const std::vector<int>& group);

}  // namespace tilth
