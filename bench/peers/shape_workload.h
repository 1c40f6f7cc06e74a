// The shapes of the benchmark as workloads of ours.
#pragma once

#include "bench/peers/peer_loop.h"
#include "ir/workload.h"

namespace tilth::bench {

// Images are channels-last and weights as ONNX stores them. kUnimplemented for a kind that is not known.
StatusOr<Workload> WorkloadOf(const Shape& shape);

}  // namespace tilth::bench
