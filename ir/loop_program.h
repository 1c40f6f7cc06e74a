// LoopProgram: what a schedule makes of a workload, one step before machine code. Imperative, flat, and small enough to
// interpret: it has sequential scalar semantics whatever its loop kinds say, so an interpreter run is the truth for the
// code generator.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "ir/dtype.h"
#include "ir/expr.h"
#include "ir/interpreter.h"

namespace tilth {

enum class LoopKind : uint8_t {
  kSerial,
  kParallel,  // iterations are independent
  kVector,    // one iteration per lane; constant extent of at most `lanes`
  kUnrolled,  // constant extent
  kGpuBlock,
  kGpuThread,
};

enum class BufferScope : uint8_t {
  kArgument,   // an input, constant or output of the workload
  kPacked,     // written by prepare phases, read by run phases
  kWorkspace,  // written and read by run phases, shared by all tasks
  kScratch,    // private to a running task
  kRegister,   // private to a running task, indexed by constants and a vector variable only: lives in SSA values
};

enum class ArgumentKind : uint8_t { kInput, kConstant, kOutput };

struct LoopBuffer {
  std::string name;
  BufferScope scope = BufferScope::kArgument;
  ArgumentKind argument = ArgumentKind::kInput;  // meaningful for kArgument
  DType dtype = DType::kF32;
  int64_t num_elements = 0;
  // Elements that a vector access may touch past num_elements (allocated, contents arbitrary). Arguments have none.
  int64_t slack_elements = 0;
  int register_lanes = 1;  // kRegister: elements [k * lanes, (k + 1) * lanes) form one vector register
};

struct Stmt;
using StmtList = std::vector<Stmt>;

// A statement; a plain value owned by its list.
struct Stmt {
  enum class Op : uint8_t { kFor, kIf, kStore };
  Op op = Op::kStore;

  // kFor: `var` runs over [0, extent).
  int var = -1;
  LoopKind kind = LoopKind::kSerial;
  int lanes = 0;  // kVector: lanes of the register it maps to
  Expr extent;    // integer, over outer variables
  // kIf: executes `body` when true, `else_body` otherwise.
  Expr condition;
  StmtList body;
  StmtList else_body;
  // kStore: buffer[index] = value.
  int buffer = -1;
  Expr index;
  Expr value;
};

Stmt For(int var, LoopKind kind, Expr extent, StmtList body, int lanes = 0);
Stmt If(Expr condition, StmtList body, StmtList else_body = {});
Stmt Store(int buffer, Expr index, Expr value);

struct LoopPhase {
  std::string name;
  bool prepare = false;  // depends on constants only; runs once
  int task_var = -1;     // runs over [0, num_tasks); tasks are independent
  int64_t num_tasks = 1;
  StmtList body;
};

struct LoopProgram {
  std::string name;
  std::vector<LoopBuffer> buffers;     // arguments first, in the order of the workload's non-temporary tensors
  std::vector<std::string> variables;  // names by variable id
  std::vector<LoopPhase> phases;       // prepare phases first

  int NewVariable(std::string variable_name);
  int NewBuffer(LoopBuffer buffer);
};

std::string ToText(const LoopProgram& program);

// Runs every phase in order with every access checked against its buffer; `arguments` holds one value per argument
// buffer (flat shapes are fine). An access out of bounds is an error that names buffer, index and phase.
Status Interpret(const LoopProgram& program, std::vector<TensorValue>* arguments);

}  // namespace tilth
