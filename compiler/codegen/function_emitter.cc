// Statements: loops, branches, stores. Expressions are in expression_emitter.cc.
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
  depth_ = 1;
  if (phase.task_var >= 0) variables_[phase.task_var] = {.value = function_->getArg(1), .constant = {}, .depth = 0};

  // Slots are made on first use, in the entry block before this point.
  TILTH_RETURN_IF_ERROR(EmitList(phase.body), "phase ", phase.name);
  builder_.CreateRetVoid();
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
  llvm::BasicBlock* before = builder_.GetInsertBlock();
  auto* body = llvm::BasicBlock::Create(context_, "loop", function_);
  auto* after = llvm::BasicBlock::Create(context_, "after", function_);
  llvm::Value* zero = builder_.getInt64(0);
  if (expr::IsConst(stmt.extent) && stmt.extent->integer > 0)
    builder_.CreateBr(body);
  else
    builder_.CreateCondBr(builder_.CreateICmpSGT(extent.value, zero), body, after);
  builder_.SetInsertPoint(body);
  llvm::PHINode* phi = builder_.CreatePHI(builder_.getInt64Ty(), 2, program_.variables[stmt.var]);
  phi->addIncoming(zero, before);
  variables_[stmt.var] = {.value = phi, .constant = {}, .depth = ++depth_};
  TILTH_RETURN_IF_ERROR(EmitList(stmt.body));
  --depth_;
  llvm::Value* next = builder_.CreateNSWAdd(phi, builder_.getInt64(1));
  phi->addIncoming(next, builder_.GetInsertBlock());
  builder_.CreateCondBr(builder_.CreateICmpSLT(next, extent.value), body, after);
  builder_.SetInsertPoint(after);
  return absl::OkStatus();
}

Status FunctionEmitter::EmitUnrolled(const Stmt& stmt, int64_t extent) {
  for (int64_t i = 0; i < extent; ++i) {
    variables_[stmt.var] = {.value = nullptr, .constant = i, .depth = depth_};
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
  builder_.CreateCondBr(condition.value, then_block, else_block);
  builder_.SetInsertPoint(then_block);
  TILTH_RETURN_IF_ERROR(EmitList(stmt.body));
  builder_.CreateBr(after);
  builder_.SetInsertPoint(else_block);
  TILTH_RETURN_IF_ERROR(EmitList(stmt.else_body));
  builder_.CreateBr(after);
  builder_.SetInsertPoint(after);
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
    llvm::Value* pointer = Pointer(stmt.buffer, address.dynamic, address.constant);
    MarkAlias(builder_.CreateAlignedStore(ToMemory(value.value, buffer.dtype), pointer, align), stmt.buffer);
    return absl::OkStatus();
  }
  llvm::Value* lanes = ToMemory(Splat(value), buffer.dtype);
  if (address.affine && address.lane_stride == 1) {
    llvm::Value* pointer = Pointer(stmt.buffer, address.dynamic, address.constant);
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
    variables_[loop.var] = {.value = nullptr, .constant = lane, .depth = depth_};
    TILTH_ASSIGN_OR_RETURN(Address at, SplitAddress(stmt.index));
    llvm::Value* element = builder_.CreateExtractElement(lanes, lane);
    MarkAlias(builder_.CreateAlignedStore(element, Pointer(stmt.buffer, at.dynamic, at.constant), align), stmt.buffer);
  }
  vector_ = loop;
  variables_[loop.var] = saved;
  return absl::OkStatus();
}

Status FunctionEmitter::EmitRegisterStore(const Stmt& stmt, const Lanes& value) {
  const LoopBuffer& buffer = program_.buffers[stmt.buffer];
  bool along_vector = false;
  TILTH_ASSIGN_OR_RETURN(int64_t index, ConstantIndex(stmt.index, &along_vector));
  llvm::AllocaInst* slot = RegisterSlot(stmt.buffer, index / buffer.register_lanes);
  if (buffer.register_lanes == 1) {
    if (value.vector || along_vector) return absl::InvalidArgumentError("a vector stored to a scalar register");
    builder_.CreateStore(value.value, slot);
  } else if (along_vector) {
    if (vector_->lanes != buffer.register_lanes || index % buffer.register_lanes != 0)
      return absl::InvalidArgumentError("a vector store that straddles registers");
    llvm::Value* lanes = Splat(value);
    if (vector_->Masked()) {
      llvm::Value* old = builder_.CreateLoad(slot->getAllocatedType(), slot);
      lanes = builder_.CreateSelect(LaneMask(), lanes, old);
    }
    builder_.CreateStore(lanes, slot);
  } else {
    llvm::Value* old = builder_.CreateLoad(slot->getAllocatedType(), slot);
    builder_.CreateStore(builder_.CreateInsertElement(old, value.value, index % buffer.register_lanes), slot);
  }
  return absl::OkStatus();
}

llvm::AllocaInst* FunctionEmitter::RegisterSlot(int buffer, int64_t chunk) {
  std::vector<llvm::AllocaInst*>& slots = registers_[buffer];
  if (slots.size() <= static_cast<size_t>(chunk)) slots.resize(chunk + 1);
  if (!slots[chunk]) {
    const LoopBuffer& b = program_.buffers[buffer];
    llvm::Type* type = IsFloat(b.dtype) ? builder_.getFloatTy() : builder_.getInt64Ty();
    if (b.register_lanes > 1) type = llvm::FixedVectorType::get(type, b.register_lanes);
    llvm::IRBuilder<> entry(&function_->getEntryBlock(), function_->getEntryBlock().begin());
    slots[chunk] = entry.CreateAlloca(type, nullptr, b.name);
  }
  return slots[chunk];
}

void FunctionEmitter::MarkAlias(llvm::Instruction* instruction, int buffer) {
  instruction->setMetadata(llvm::LLVMContext::MD_alias_scope, llvm::MDNode::get(context_, {alias_scopes_[buffer]}));
  instruction->setMetadata(llvm::LLVMContext::MD_noalias, noalias_lists_[buffer]);
}

}  // namespace tilth
