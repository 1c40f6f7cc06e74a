// The slow truth: evaluates workloads point by point, in double precision for accumulations, rounding to the tensor's
// dtype only when a stage stores. Every schedule and every operator import is tested against it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "ir/workload.h"

namespace tilth {

// A dense row-major array with its type: `bytes.size() == NumElements(shape) * SizeInBytes(dtype)`.
struct TensorValue {
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
  std::vector<uint8_t> bytes;

  double Get(int64_t flat_index) const;
  void Set(int64_t flat_index, double value);  // rounds to dtype
};

TensorValue ZeroValue(DType dtype, std::vector<int64_t> shape);

// Fills tensor number `tensor_index` of a workload from the counter-based stream `seed`: floats uniform in [-1, 1),
// integers uniform in [0, value_bound) (or [-100, 100) without a bound). The runner on a device makes the same values.
TensorValue RandomValue(const Tensor& tensor, uint64_t seed, int tensor_index);

// `values` holds one entry per tensor of the workload; inputs and constants are read, the others are (re)made.
// A load out of bounds, or a value of the wrong shape, is an error that names stage and tensor.
Status Interpret(const Workload& workload, std::vector<TensorValue>* values);

// Runs one stage. `values[t]` is tensor t, or null where it has no value (loading it is an error); values[stage.output]
// is ignored. `output` has dtype and shape of the stage's output; elements that the stage does not store keep their
// values.
Status InterpretStage(const Stage& stage, const std::vector<const TensorValue*>& values, TensorValue* output);

}  // namespace tilth
