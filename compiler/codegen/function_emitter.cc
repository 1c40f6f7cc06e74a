// Statements: loops, branches, stores. Expressions are in expression_emitter.cc, addresses in address_emitter.cc,
// registers in register_emitter.cc.
#include "compiler/codegen/function_emitter.h"

#include <llvm/IR/MDBuilder.h>

#include <algorithm>
#include <utility>

#include "compiler/runtime/kernel_abi.h"

namespace tilth {

FunctionEmitter::FunctionEmitter(const LoopProgram& program, const Target& target, llvm::Module& module)
    : program_(program), target_(target), module_(module), context_(module.getContext()), builder_(context_) {
  // Buffers never overlap: say so, that loads may move across stores to other buffers.
  llvm::MDBuilder metadata(context_);
  llvm::MDNode* domain = metadata.createAnonymousAliasScopeDomain();
  for (size_t i = 0; i < program.buffers.size(); ++i)
    alias_scopes_.push_back(metadata.createAnonymousAliasScope(domain));
  for (size_t i = 0; i < program.buffers.size(); ++i) {
    std::vector<llvm::Metadata*> others;
    for (size_t j = 0; j < program.buffers.size(); ++j)
      if (j != i) others.push_back(alias_scopes_[j]);
    noalias_lists_.push_back(llvm::MDNode::get(context_, others));
  }
}

StatusOr<llvm::Function*> FunctionEmitter::Emit(const LoopPhase& phase, const std::string& symbol) {
  llvm::Type* pointer = builder_.getPtrTy();
  auto* type = llvm::FunctionType::get(builder_.getVoidTy(), {pointer, builder_.getInt64Ty(), pointer}, false);
  function_ = llvm::Function::Create(type, llvm::Function::InternalLinkage, symbol, module_);
  function_->addFnAttr(llvm::Attribute::NoUnwind);
  builder_.SetInsertPoint(llvm::BasicBlock::Create(context_, "entry", function_));

  scratch_bytes_ = 0;
  registers_.assign(program_.buffers.size(), {});
  bases_.assign(program_.buffers.size(), nullptr);
  int argument = 0;
  for (size_t i = 0; i < program_.buffers.size(); ++i) {
    const LoopBuffer& buffer = program_.buffers[i];
    if (buffer.scope == BufferScope::kRegister) continue;
    if (buffer.scope == BufferScope::kScratch) {
      bases_[i] = builder_.CreateConstInBoundsGEP1_64(builder_.getInt8Ty(), function_->getArg(2), scratch_bytes_);
      const int64_t bytes = (buffer.num_elements + buffer.slack_elements) * SizeInBytes(buffer.dtype);
      scratch_bytes_ += (bytes + TILTH_BUFFER_ALIGNMENT - 1) / TILTH_BUFFER_ALIGNMENT * TILTH_BUFFER_ALIGNMENT;
      continue;
    }
    llvm::Value* slot = builder_.CreateConstInBoundsGEP1_64(pointer, function_->getArg(0), argument++);
    llvm::LoadInst* base = builder_.CreateLoad(pointer, slot);
    base->setMetadata(llvm::LLVMContext::MD_invariant_load, llvm::MDNode::get(context_, {}));
    bases_[i] = base;
  }
  variables_.assign(program_.variables.size(), {});
  vector_.reset();
  guard_.reset();
  phis_.clear();
  scopes_.assign(1, {});
  if (phase.task_var >= 0) variables_[phase.task_var] = {.value = function_->getArg(1), .constant = {}, .scope = 0};

  TILTH_RETURN_IF_ERROR(EmitList(phase.body), "phase ", phase.name);
  builder_.CreateRetVoid();
  for (size_t i = phis_.size(); i-- > 0;)
    if (phis_[i]->use_empty()) phis_[i]->eraseFromParent();
  return function_;
}

Status FunctionEmitter::EmitList(const StmtList& list) {
  for (const Stmt& stmt : list) TILTH_RETURN_IF_ERROR(EmitStmt(stmt));
  return absl::OkStatus();
}

Status FunctionEmitter::EmitStmt(const Stmt& stmt) {
  switch (stmt.op) {
    case Stmt::Op::kFor:
      return EmitLoop(stmt);
    case Stmt::Op::kIf:
      return EmitIf(stmt);
    case Stmt::Op::kStore:
      return EmitStore(stmt);
  }
  return absl::InternalError("unknown statement");
}

Status FunctionEmitter::EmitLoop(const Stmt& stmt) {
  if (vector_) return absl::InvalidArgumentError("a loop inside a vector loop");
  if (stmt.kind == LoopKind::kVector || stmt.kind == LoopKind::kUnrolled) {
    if (!expr::IsConst(stmt.extent))
      return absl::InvalidArgumentError("a vector or unrolled loop needs a constant extent");
    const int64_t extent = stmt.extent->integer;
    return stmt.kind == LoopKind::kVector ? EmitVectorLoop(stmt, extent) : EmitUnrolled(stmt, extent);
  }
  if (stmt.kind == LoopKind::kGpuBlock || stmt.kind == LoopKind::kGpuThread)
    return absl::InvalidArgumentError("a GPU loop in code for a CPU");
  if (expr::IsIntConst(stmt.extent, 1)) return EmitUnrolled(stmt, 1);

  TILTH_ASSIGN_OR_RETURN(Lanes extent, Eval(stmt.extent));
  const bool runs = expr::IsConst(stmt.extent) && stmt.extent->integer > 0;
  llvm::BasicBlock* before = builder_.GetInsertBlock();
  auto* body = llvm::BasicBlock::Create(context_, "loop", function_);
  auto* after = llvm::BasicBlock::Create(context_, "after", function_);
  llvm::Value* zero = builder_.getInt64(0);
  scopes_.back().exit =
      runs ? builder_.CreateBr(body) : builder_.CreateCondBr(builder_.CreateICmpSGT(extent.value, zero), body, after);
  builder_.SetInsertPoint(body);
  llvm::PHINode* counter = builder_.CreatePHI(builder_.getInt64Ty(), 2, program_.variables[stmt.var]);
  counter->addIncoming(zero, before);
  scopes_.emplace_back();
  scopes_.back().counter = counter;
  scopes_.back().before = before;
  variables_[stmt.var] = {.value = counter, .constant = {}, .scope = static_cast<int>(scopes_.size()) - 1};
  const Registers registers_before = registers_;
  const std::vector<RegisterPhi> phis = BeginRegisterPhis(stmt.body, before);
  TILTH_RETURN_IF_ERROR(EmitList(stmt.body));
  llvm::BasicBlock* latch = builder_.GetInsertBlock();
  EndRegisterPhis(phis, latch);
  for (const auto& [pointer, bytes] : scopes_.back().pointers)
    pointer->addIncoming(builder_.CreateConstGEP1_64(builder_.getInt8Ty(), pointer, bytes), latch);
  llvm::Value* next = builder_.CreateNSWAdd(counter, builder_.getInt64(1));
  counter->addIncoming(next, latch);
  builder_.CreateCondBr(builder_.CreateICmpSLT(next, extent.value), body, after);
  scopes_.pop_back();
  scopes_.back().exit = nullptr;
  builder_.SetInsertPoint(after);
  if (!runs) MergeRegisters(latch, registers_before, before);
  return absl::OkStatus();
}

Status FunctionEmitter::EmitUnrolled(const Stmt& stmt, int64_t extent) {
  for (int64_t i = 0; i < extent; ++i) {
    variables_[stmt.var] = {.value = nullptr, .constant = i, .scope = 0};
    TILTH_RETURN_IF_ERROR(EmitList(stmt.body));
  }
  return absl::OkStatus();
}

Status FunctionEmitter::EmitVectorLoop(const Stmt& stmt, int64_t extent) {
  if (extent > stmt.lanes) return absl::InvalidArgumentError("a vector loop longer than its lanes");
  if (stmt.lanes <= 1) return EmitUnrolled(stmt, extent);
  if (extent <= 0) return absl::OkStatus();
  vector_ = VectorLoop{.var = stmt.var, .lanes = stmt.lanes, .extent = extent};
  Status status = EmitList(stmt.body);
  vector_.reset();
  return status;
}

Status FunctionEmitter::EmitIf(const Stmt& stmt) {
  if (vector_) return absl::InvalidArgumentError("a branch inside a vector loop");
  TILTH_ASSIGN_OR_RETURN(Lanes condition, Eval(stmt.condition));
  if (auto* constant = llvm::dyn_cast<llvm::ConstantInt>(condition.value))
    return EmitList(constant->isOne() ? stmt.body : stmt.else_body);
  auto* then_block = llvm::BasicBlock::Create(context_, "then", function_);
  auto* else_block = llvm::BasicBlock::Create(context_, "else", function_);
  auto* after = llvm::BasicBlock::Create(context_, "after", function_);
  scopes_.back().exit = builder_.CreateCondBr(condition.value, then_block, else_block);
  const Registers registers_before = registers_;
  builder_.SetInsertPoint(then_block);
  scopes_.emplace_back();
  TILTH_RETURN_IF_ERROR(EmitList(stmt.body));
  scopes_.pop_back();
  llvm::BasicBlock* then_end = builder_.CreateBr(after)->getParent();
  const Registers registers_then = std::exchange(registers_, registers_before);
  builder_.SetInsertPoint(else_block);
  scopes_.emplace_back();
  TILTH_RETURN_IF_ERROR(EmitList(stmt.else_body));
  scopes_.pop_back();
  llvm::BasicBlock* else_end = builder_.CreateBr(after)->getParent();
  scopes_.back().exit = nullptr;
  builder_.SetInsertPoint(after);
  MergeRegisters(else_end, registers_then, then_end);
  return absl::OkStatus();
}

Status FunctionEmitter::EmitStore(const Stmt& stmt) {
  TILTH_ASSIGN_OR_RETURN(Lanes value, Eval(stmt.value));
  const LoopBuffer& buffer = program_.buffers[stmt.buffer];
  if (buffer.scope == BufferScope::kRegister) return EmitRegisterStore(stmt, value);
  TILTH_ASSIGN_OR_RETURN(Address address, SplitAddress(stmt.index));
  llvm::Align align(SizeInBytes(buffer.dtype));
  if (!vector_ || (address.affine && address.lane_stride == 0)) {
    if (value.vector) return absl::InvalidArgumentError("a vector loop stores all its lanes to one element");
    TILTH_ASSIGN_OR_RETURN(llvm::Value * pointer, Pointer(stmt.buffer, address));
    MarkAlias(builder_.CreateAlignedStore(ToMemory(value.value, buffer.dtype), pointer, align), stmt.buffer);
    return absl::OkStatus();
  }
  llvm::Value* lanes = ToMemory(Splat(value), buffer.dtype);
  if (address.affine && address.lane_stride == 1) {
    TILTH_ASSIGN_OR_RETURN(llvm::Value * pointer, Pointer(stmt.buffer, address));
    llvm::Instruction* store =
        vector_->Masked()
            ? static_cast<llvm::Instruction*>(builder_.CreateMaskedStore(lanes, pointer, align, LaneMask()))
            : builder_.CreateAlignedStore(lanes, pointer, align);
    MarkAlias(store, stmt.buffer);
    return absl::OkStatus();
  }
  const VectorLoop loop = *vector_;
  const Variable saved = variables_[loop.var];
  vector_.reset();
  for (int64_t lane = 0; lane < loop.extent; ++lane) {
    variables_[loop.var] = {.value = nullptr, .constant = lane, .scope = 0};
    TILTH_ASSIGN_OR_RETURN(Address at, SplitAddress(stmt.index));
    TILTH_ASSIGN_OR_RETURN(llvm::Value * pointer, Pointer(stmt.buffer, at));
    MarkAlias(builder_.CreateAlignedStore(builder_.CreateExtractElement(lanes, lane), pointer, align), stmt.buffer);
  }
  vector_ = loop;
  variables_[loop.var] = saved;
  return absl::OkStatus();
}

void FunctionEmitter::MarkAlias(llvm::Instruction* instruction, int buffer) {
  instruction->setMetadata(llvm::LLVMContext::MD_alias_scope, llvm::MDNode::get(context_, {alias_scopes_[buffer]}));
  instruction->setMetadata(llvm::LLVMContext::MD_noalias, noalias_lists_[buffer]);
}

}  // namespace tilth
