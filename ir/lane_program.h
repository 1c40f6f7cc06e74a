// One expression compiled for the interpreter: a list of instructions over registers of kLanes elements, which run
// along one axis of an iteration space (the lane axis), so that decoding costs little per element. Floats are doubles
// and integers int64 throughout. Private to the interpreter.
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "base/status.h"
#include "ir/expr.h"
#include "ir/interpreter.h"

namespace tilth {

class LaneProgram {
 public:
  static constexpr int kLanes = 256;

  // An affine form over all iteration variables: at lane i of the current block it is base + stride * i.
  struct Form {
    Affine affine;
    int64_t base = 0;
    int64_t stride = 0;
  };

  // `lane_axis` may be -1: every block then has one lane. `values` must outlive the program.
  LaneProgram(int num_indices, int lane_axis, const std::vector<const TensorValue*>& values)
      : num_indices_(num_indices), lane_axis_(lane_axis), values_(values) {}

  Status Compile(const Expr& e);

  // Number of the form for SetPoint to keep up to date.
  int AddForm(Affine affine);
  const Form& form(int number) const { return forms_[number]; }

  // Moves to the block that begins at `point`, one entry per iteration variable.
  void SetPoint(const std::vector<int64_t>& point);

  // Computes the first `lanes` elements of the current block. A load out of bounds is an error.
  Status Evaluate(int lanes);

  bool result_is_float() const { return result_is_float_; }
  const std::vector<double>& float_result() const { return floats_[result_]; }
  const std::vector<int64_t>& integer_result() const { return integers_[result_]; }

 private:
  // Operands are numbers of float or integer registers, by the type of the operation. Booleans are integers 0 and 1.
  struct Instruction {
    ExprOp op;
    bool is_float = false;  // of the operands; of the result for kLoad and kSelect
    DType dtype;            // kCast: the target; kLoad: the tensor's
    int result = -1, a = -1, b = -1, c = -1;
    int mask = -1;                // integer register: lanes where it is 0 must not fail; -1: all lanes count
    int tensor = -1;              // kLoad
    std::vector<int> dimensions;  // kLoad: per dimension, a form (>= 0) or ~register
  };

  StatusOr<int> CompileOnce(const Expr& e, int mask);
  StatusOr<int> CompileNew(const Expr& e, int mask);
  Status CompileLoad(const Expr& e, int mask, Instruction* load);
  Status CompileSelect(const Expr& e, int mask, Instruction* select);
  int EmitMask(ExprOp op, int a, int b);
  int NewFloat(double fill);
  int NewInteger(int64_t fill);

  void RunFloat(const Instruction& in, int lanes);
  Status RunInteger(const Instruction& in, int lanes);
  void RunCompare(const Instruction& in, int lanes);
  void RunCast(const Instruction& in, int lanes);
  Status RunLoad(const Instruction& in, int lanes);
  Status LocateLanes(const Instruction& in, int lanes);
  Status OutOfBounds(const Instruction& in, int dimension, int64_t index) const;

  int num_indices_;
  int lane_axis_;
  const std::vector<const TensorValue*>& values_;
  std::vector<Form> forms_;
  std::vector<Instruction> program_;
  std::map<std::pair<const ExprNode*, int>, int> compiled_;  // (node, mask) to register
  std::vector<std::vector<double>> floats_;
  std::vector<std::vector<int64_t>> integers_;
  std::vector<int64_t> offsets_;  // scratch of RunLoad: flat offset per lane, -1 where masked off
  int result_ = -1;
  bool result_is_float_ = false;
};

}  // namespace tilth
