// Runs one workload three ways: the reference interpreter, a LoopProgram's interpreter, and machine code in this
// process.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "ir/interpreter.h"
#include "ir/loop_program.h"
#include "ir/target.h"
#include "ir/workload.h"

namespace tilth {

// A workload with random inputs and the interpreter's outputs.
struct ReferenceCase {
  Workload workload;
  std::vector<TensorValue> values;  // per tensor of the workload
};
ReferenceCase MakeCase(const std::string& text, uint64_t seed = 1);

// The workload's non-temporary tensors as arguments, outputs zero (as the interpreter starts).
std::vector<TensorValue> ArgumentsOf(const ReferenceCase& reference);

// OK if every output in `arguments` agrees with the interpreter; else names the first element that does not.
Status CompareOutputs(const ReferenceCase& reference, const std::vector<TensorValue>& arguments, double rtol = 1e-4,
                      double atol = 1e-5);

// Generates, links, loads and runs `program` for the native target on one thread.
Status RunNative(const LoopProgram& program, const Target& target, std::vector<TensorValue>* arguments);

}  // namespace tilth
