// What every lowering needs: buffers for the workload's tensors, variables, and expressions moved from a stage's axes
// and tensors to the program's variables and buffers.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "ir/loop_program.h"
#include "ir/workload.h"
#include "search_space/flat_stage.h"

namespace tilth {

class ProgramBuilder {
 public:
  // Makes an argument buffer for every tensor that is not a temporary, in order.
  ProgramBuilder(std::string name, const std::vector<Tensor>& tensors);

  LoopProgram& program() { return program_; }
  int buffer_of(int tensor) const { return buffer_of_[tensor]; }

  // A buffer of `scope` that holds tensor `tensor` (a temporary) from now on.
  int Place(int tensor, BufferScope scope, int64_t num_elements, int64_t slack_elements = 0);

  int NewBuffer(std::string name, BufferScope scope, int64_t num_elements, int register_lanes = 1,
                int64_t slack_elements = 0);
  // A fresh loop variable as an expression.
  Expr NewVariable(const std::string& name);

  // `e` of a stage with axis i replaced by axes[i] and tensors by their buffers.
  Expr Bind(const Expr& e, const std::vector<Expr>& axes) const;
  // The same, with `value` for what `e` loads from `tensor`: an epilogue with the reduced value it continues.
  Expr BindWith(const Expr& e, const std::vector<Expr>& axes, int tensor, const Expr& value) const;

 private:
  LoopProgram program_;
  const std::vector<Tensor> tensors_;
  std::vector<int> buffer_of_;
};

// The mixed-radix digits of `index`, most significant first: digits[i] in [0, extents[i]).
std::vector<Expr> Digits(Expr index, const std::vector<int64_t>& extents);

// Statements for one vector's worth of an axis: `start` is its first element, `extent` (<= lanes) its active lanes.
using VectorBody = std::function<StmtList(const Expr& start, const Expr& lane, int64_t extent)>;

// Covers [begin, begin + extent) in vectors of `lanes`, `unroll` of them per step, then single vectors, then a masked
// rest. `body` gets the element `start` of each vector and the lane variable and returns what goes inside the vector
// loop.
StmtList AlongVector(ProgramBuilder& builder, const Expr& begin, int64_t extent, int lanes, int64_t unroll,
                     const VectorBody& body);

Expr Combine(Reduction reduction, Expr accumulated, Expr value);

}  // namespace tilth
