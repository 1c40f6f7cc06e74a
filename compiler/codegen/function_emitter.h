// Emits one phase of a LoopProgram as an LLVM function `void run(ptr buffers, i64 task, ptr scratch)`.
#pragma once

#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Module.h>

#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "ir/loop_program.h"
#include "ir/target.h"

namespace tilth {

class FunctionEmitter {
 public:
  FunctionEmitter(const LoopProgram& program, const Target& target, llvm::Module& module);

  StatusOr<llvm::Function*> Emit(const LoopPhase& phase, const std::string& symbol);

  // Scratch that the last emitted phase needs.
  int64_t scratch_bytes() const { return scratch_bytes_; }

 private:
  // A value is uniform or has one element per lane of the current vector loop.
  struct Lanes {
    llvm::Value* value = nullptr;
    bool vector = false;
  };
  struct Variable {
    llvm::Value* value = nullptr;
    std::optional<int64_t> constant;
    int depth = 0;  // nesting depth, to add loop-invariant terms first
  };
  struct VectorLoop {
    int var = -1;
    int lanes = 1;
    int64_t extent = 1;
    bool Masked() const { return extent < lanes; }
  };
  // An index split into what varies at run time, what is known now, and the stride along the vector loop.
  struct Address {
    llvm::Value* dynamic = nullptr;  // null: none
    int64_t constant = 0;
    int64_t lane_stride = 0;
    bool affine = true;  // false: depends on the vector variable in another way; evaluate lane by lane
  };

  Status EmitList(const StmtList& list);
  Status EmitStmt(const Stmt& stmt);
  Status EmitLoop(const Stmt& stmt);
  Status EmitUnrolled(const Stmt& stmt, int64_t extent);
  Status EmitVectorLoop(const Stmt& stmt, int64_t extent);
  Status EmitIf(const Stmt& stmt);
  Status EmitStore(const Stmt& stmt);
  Status EmitRegisterStore(const Stmt& stmt, const Lanes& value);

  StatusOr<Lanes> Eval(const Expr& e);
  StatusOr<Lanes> EvalBinary(const Expr& e);
  StatusOr<Lanes> EvalUnary(const Expr& e);
  StatusOr<Lanes> EvalSelect(const Expr& e);
  StatusOr<Lanes> EvalCast(const Expr& e);
  StatusOr<Lanes> EvalLoad(const Expr& e);
  StatusOr<Lanes> EvalRegisterLoad(const Expr& e);
  StatusOr<llvm::Value*> LoadScalar(int buffer, const Expr& index, llvm::Value* guard);
  StatusOr<Lanes> LoadLanes(int buffer, const Expr& index);
  std::optional<Lanes> TryFusedMultiplyAdd(const Expr& e, Status* status);

  StatusOr<Address> SplitAddress(const Expr& index);
  llvm::Value* Pointer(int buffer, llvm::Value* dynamic, int64_t constant);
  StatusOr<int64_t> ConstantIndex(const Expr& index, bool* along_vector);
  llvm::AllocaInst* RegisterSlot(int buffer, int64_t chunk);

  llvm::Value* Splat(const Lanes& lanes);
  llvm::Value* LaneMask();
  llvm::Type* ElementType(DType dtype);  // in memory
  llvm::Value* FromMemory(llvm::Value* value, DType dtype);
  llvm::Value* ToMemory(llvm::Value* value, DType dtype);
  void MarkAlias(llvm::Instruction* instruction, int buffer);

  const LoopProgram& program_;
  const Target& target_;
  llvm::Module& module_;
  llvm::LLVMContext& context_;
  llvm::IRBuilder<> builder_;
  llvm::Function* function_ = nullptr;
  std::vector<llvm::Value*> bases_;  // per buffer: its address in this function
  std::vector<std::vector<llvm::AllocaInst*>> registers_;
  std::vector<llvm::MDNode*> alias_scopes_, noalias_lists_;
  std::vector<Variable> variables_;
  std::optional<VectorLoop> vector_;
  std::optional<Lanes> guard_;  // condition under which loads happen
  int depth_ = 0;
  int64_t scratch_bytes_ = 0;
};

}  // namespace tilth
