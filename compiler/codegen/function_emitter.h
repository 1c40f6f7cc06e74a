// Emits one phase of a LoopProgram as an LLVM function `void run(ptr buffers, i64 task, ptr scratch)`.
#pragma once

#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Module.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
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
    int scope = 0;  // in which it varies: an index into scopes_
  };
  struct VectorLoop {
    int var = -1;
    int lanes = 1;
    int64_t extent = 1;
    bool Masked() const { return extent < lanes; }
  };
  // The function, the body of a loop or a side of a branch, while statements inside it are emitted. Values that do not
  // vary further in are computed here, once.
  struct Scope {
    llvm::Instruction* exit = nullptr;   // what leads to the scope inside this one; null: this is the innermost
    llvm::PHINode* counter = nullptr;    // of a loop
    llvm::BasicBlock* before = nullptr;  // … the block that leads to it
    // … pointers that advance with it, and by how many bytes.
    std::vector<std::pair<llvm::PHINode*, int64_t>> pointers;
    absl::flat_hash_map<std::string, llvm::Value*> known;
  };
  // An index split into the stride along the vector loop, what is known now, and by scope what varies in it.
  struct Address {
    struct Part {
      int64_t step = 0;                             // elements per iteration of the scope's loop
      std::vector<std::pair<Expr, int64_t>> terms;  // other expressions, and their factors
    };
    std::map<int, Part> parts;
    std::vector<std::pair<Expr, int64_t>> loaded;  // terms that read memory, and their factors
    int64_t constant = 0;
    int64_t lane_stride = 0;
    bool affine = true;  // false: depends on the vector variable in another way; evaluate lane by lane
  };
  // Per register buffer the current value of each of its vector registers; null: never written.
  using Registers = std::vector<std::vector<llvm::Value*>>;

  Status EmitList(const StmtList& list);
  Status EmitStmt(const Stmt& stmt);
  Status EmitLoop(const Stmt& stmt);
  Status EmitUnrolled(const Stmt& stmt, int64_t extent);
  Status EmitVectorLoop(const Stmt& stmt, int64_t extent);
  Status EmitIf(const Stmt& stmt);
  Status EmitStore(const Stmt& stmt);
  Status EmitRegisterStore(const Stmt& stmt, const Lanes& value);

  StatusOr<Lanes> Eval(const Expr& e);
  StatusOr<Lanes> EvalHere(const Expr& e);
  StatusOr<Lanes> EvalBinary(const Expr& e);
  StatusOr<Lanes> EvalUnary(const Expr& e);
  StatusOr<Lanes> EvalSelect(const Expr& e);
  StatusOr<Lanes> EvalCast(const Expr& e);
  StatusOr<Lanes> EvalLoad(const Expr& e);
  StatusOr<Lanes> EvalRegisterLoad(const Expr& e);
  StatusOr<llvm::Value*> LoadScalar(int buffer, const Expr& index, llvm::Value* guard);
  StatusOr<Lanes> LoadLanes(int buffer, const Expr& index);
  StatusOr<std::optional<Lanes>> ShuffledLoad(const Expr& load);
  bool IsMultiple(const Expr& e, int64_t divisor) const;
  struct LaneOffsets;
  std::optional<LaneOffsets> SplitLanes(const Expr& e) const;
  std::optional<Lanes> TryFusedMultiplyAdd(const Expr& e, Status* status);

  StatusOr<Address> SplitAddress(const Expr& index);
  StatusOr<llvm::Value*> Pointer(int buffer, const Address& address);
  llvm::Value* AdvancingPointer(int scope, llvm::Value* start, int64_t bytes);
  StatusOr<int64_t> ConstantIndex(const Expr& index, bool* along_vector);
  // Registers.
  llvm::Value*& Register(int buffer, int64_t chunk);
  llvm::Type* RegisterType(int buffer);
  struct RegisterPhi {
    int buffer;
    int64_t chunk;
    llvm::Value* initial;
    llvm::PHINode* phi;
  };
  std::vector<RegisterPhi> BeginRegisterPhis(const StmtList& body, llvm::BasicBlock* before);
  void EndRegisterPhis(const std::vector<RegisterPhi>& phis, llvm::BasicBlock* latch);
  // At the meeting of two paths: from one come registers_, from the other `others`.
  void MergeRegisters(llvm::BasicBlock* from, const Registers& others, llvm::BasicBlock* others_from);
  llvm::PHINode* NewPhi(llvm::Type* type);

  // Scopes.
  static bool UsesVariable(const Expr& e, int var);
  std::optional<int> ScopeOf(const Expr& e) const;
  std::string KeyOf(const Expr& e) const;
  StatusOr<llvm::Value*> Known(int scope, const std::string& key, const std::function<StatusOr<llvm::Value*>()>& make);

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
  Registers registers_;
  std::vector<llvm::PHINode*> phis_;  // in order of creation
  std::vector<Scope> scopes_;
  std::vector<llvm::MDNode*> alias_scopes_, noalias_lists_;
  std::vector<Variable> variables_;
  std::optional<VectorLoop> vector_;
  std::optional<Lanes> guard_;  // condition under which loads happen
  int64_t scratch_bytes_ = 0;
};

}  // namespace tilth
