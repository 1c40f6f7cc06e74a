// Workload: a fused kernel as tensor expressions, with nothing in it about how it is computed.
//
// A workload is a list of tensors and a list of stages in the order of computation. A stage defines elements of one
// tensor for every point of its iteration space:
//
//     y[n:1, h:56, w:56, o:64] = sum(r:3, s:3, c:64) select(…, x[n, h+r-1, w+s-1, c], 0) * w[r, s, c, o]
//
// The same stages describe a whole model in compiler/graph, where fusion cuts them into workloads.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "ir/dtype.h"
#include "ir/expr.h"

namespace tilth {

enum class TensorRole : uint8_t {
  kInput,      // given by the caller at each run
  kConstant,   // given when the library is built (weights); may be packed
  kOutput,     // written for the caller
  kTemporary,  // lives inside the kernel
};

struct Tensor {
  std::string name;  // for people; no part of the structural hash
  TensorRole role = TensorRole::kInput;
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;  // dense row-major; extents >= 1 (empty: a scalar)
  // Integer inputs: values lie in [0, value_bound), as an index into something must; 0: any value. Drives test data.
  int64_t value_bound = 0;
};

struct Axis {
  std::string name;  // for people
  int64_t extent = 1;
};

enum class Reduction : uint8_t { kNone, kSum, kMax, kMin, kProd };

// The value that leaves others as they are; 0 for kNone.
double ReductionIdentity(Reduction reduction);

struct Stage {
  int output = -1;                // index into tensors
  std::vector<Axis> axes;         // iteration variables 0 … axes.size()-1
  std::vector<Axis> reduce_axes;  // the variables after them; empty exactly if reduction == kNone
  Reduction reduction = Reduction::kNone;
  // Where the value is stored: one integer expression over `axes` per dimension of the output. Distinct points store to
  // distinct elements. Usually the identity; a constant offset writes a slice (concat in place).
  std::vector<Expr> output_index;
  Expr value;  // over axes and reduce_axes; loads name tensors by index into tensors
};

struct Workload {
  std::string name;             // for people: "conv2d 3x3 64x56x56->64 +relu"
  std::vector<Tensor> tensors;  // inputs, constants, temporaries and outputs in order of first use
  std::vector<Stage> stages;
};

int64_t NumElements(const std::vector<int64_t>& shape);
int64_t SizeInBytes(const Tensor& tensor);

// The identity output_index for a stage with `rank` axes.
std::vector<Expr> IdentityIndex(int rank);

// Canonical text, version 1: tensors renamed t0, t1, … and axes i0, …, r0, … in order of first appearance, so that
// equal structures have equal texts. ParseWorkload(ToText(w)) has the same text.
std::string ToText(const Workload& workload);
StatusOr<Workload> ParseWorkload(std::string_view text);

// ContentHash of the canonical text: independent of every name.
std::string StructuralHash(const Workload& workload);

// Shapes fit, indices are in bounds where they are affine, roles are consistent, every temporary is written before it
// is read. Whatever builds a workload from outside data validates it; the error names the stage and tensor.
Status Validate(const Workload& workload);

// Floating-point operations of one run: one per arithmetic node of a value and per reduction step, counting a select's
// longer side; index arithmetic is free. A multiply-add counts as two.
double Flops(const Workload& workload);

// Bytes of inputs, constants and outputs touched once: the compulsory traffic.
double CompulsoryBytes(const Workload& workload);

}  // namespace tilth
