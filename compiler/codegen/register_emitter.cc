// Registers of a LoopProgram as SSA values: loops and branches get their phis here, as the structure of the statements
// tells where they are needed. No memory and no pass is involved.
#include <numeric>
#include <set>

#include "compiler/codegen/function_emitter.h"

namespace tilth {
namespace {

void CollectStoredBuffers(const StmtList& list, std::set<int>* buffers) {
  for (const Stmt& stmt : list) {
    if (stmt.op == Stmt::Op::kStore) buffers->insert(stmt.buffer);
    CollectStoredBuffers(stmt.body, buffers);
    CollectStoredBuffers(stmt.else_body, buffers);
  }
}

}  // namespace

llvm::Type* FunctionEmitter::RegisterType(int buffer) {
  const LoopBuffer& b = program_.buffers[buffer];
  llvm::Type* type = IsFloat(b.dtype) ? builder_.getFloatTy() : builder_.getInt64Ty();
  return b.register_lanes > 1 ? llvm::FixedVectorType::get(type, b.register_lanes) : type;
}

llvm::Value*& FunctionEmitter::Register(int buffer, int64_t chunk) {
  std::vector<llvm::Value*>& values = registers_[buffer];
  if (values.size() <= static_cast<size_t>(chunk)) values.resize(chunk + 1);
  return values[chunk];
}

llvm::PHINode* FunctionEmitter::NewPhi(llvm::Type* type) { return phis_.emplace_back(builder_.CreatePHI(type, 2)); }

Status FunctionEmitter::EmitRegisterStore(const Stmt& stmt, const Lanes& value) {
  const LoopBuffer& buffer = program_.buffers[stmt.buffer];
  bool along_vector = false;
  TILTH_ASSIGN_OR_RETURN(int64_t index, ConstantIndex(stmt.index, &along_vector));
  llvm::Value*& current = Register(stmt.buffer, index / buffer.register_lanes);
  if (buffer.register_lanes == 1) {
    if (value.vector || along_vector) return absl::InvalidArgumentError("a vector stored to a scalar register");
    current = value.value;
    return absl::OkStatus();
  }
  llvm::Value* old = current ? current : llvm::PoisonValue::get(RegisterType(stmt.buffer));
  if (!along_vector) {
    current = builder_.CreateInsertElement(old, value.value, index % buffer.register_lanes);
    return absl::OkStatus();
  }
  if (vector_->lanes != buffer.register_lanes || index % buffer.register_lanes != 0)
    return absl::InvalidArgumentError("a vector store that straddles registers");
  current = Splat(value);
  if (vector_->Masked()) current = builder_.CreateSelect(LaneMask(), current, old);
  return absl::OkStatus();
}

StatusOr<FunctionEmitter::Lanes> FunctionEmitter::EvalRegisterLoad(const Expr& e) {
  const LoopBuffer& buffer = program_.buffers[e->id];
  bool along_vector = false;
  TILTH_ASSIGN_OR_RETURN(int64_t index, ConstantIndex(e->args[0], &along_vector));
  llvm::Value* value = Register(e->id, index / buffer.register_lanes);
  if (!value) return absl::InvalidArgumentError(StrCat("register ", buffer.name, " is read before it is written"));
  if (buffer.register_lanes == 1) {
    if (along_vector) return absl::InvalidArgumentError("a scalar register read as a vector");
    return Lanes{value};
  }
  if (!along_vector) return Lanes{builder_.CreateExtractElement(value, index % buffer.register_lanes)};
  const int64_t first = index % buffer.register_lanes;
  if (first + vector_->lanes > buffer.register_lanes)
    return absl::InvalidArgumentError("a vector load that straddles registers");
  if (vector_->lanes == buffer.register_lanes) return Lanes{value, true};
  std::vector<int> part(vector_->lanes);
  std::iota(part.begin(), part.end(), static_cast<int>(first));
  return Lanes{builder_.CreateShuffleVector(value, part), true};
}

// At the head of a loop: whatever its body writes may come from the iteration before.
std::vector<FunctionEmitter::RegisterPhi> FunctionEmitter::BeginRegisterPhis(const StmtList& body,
                                                                             llvm::BasicBlock* before) {
  std::set<int> stored;
  CollectStoredBuffers(body, &stored);
  std::vector<RegisterPhi> phis;
  for (const int buffer : stored) {
    for (size_t chunk = 0; chunk < registers_[buffer].size(); ++chunk) {
      llvm::Value*& value = registers_[buffer][chunk];
      if (!value) continue;
      llvm::PHINode* phi = NewPhi(value->getType());
      phi->addIncoming(value, before);
      phis.push_back({buffer, static_cast<int64_t>(chunk), value, phi});
      value = phi;
    }
  }
  return phis;
}

void FunctionEmitter::EndRegisterPhis(const std::vector<RegisterPhi>& phis, llvm::BasicBlock* latch) {
  for (const RegisterPhi& entry : phis) {
    llvm::Value* value = Register(entry.buffer, entry.chunk);
    entry.phi->addIncoming(value, latch);
    if (value != entry.phi) continue;
    // Never written after all.
    entry.phi->replaceAllUsesWith(entry.initial);
    for (std::vector<llvm::Value*>& values : registers_)
      std::replace(values.begin(), values.end(), value, entry.initial);
  }
}

void FunctionEmitter::MergeRegisters(llvm::BasicBlock* from, const Registers& others, llvm::BasicBlock* others_from) {
  for (size_t buffer = 0; buffer < registers_.size(); ++buffer) {
    for (size_t chunk = 0; chunk < registers_[buffer].size(); ++chunk) {
      llvm::Value*& value = registers_[buffer][chunk];
      llvm::Value* other = chunk < others[buffer].size() ? others[buffer][chunk] : nullptr;
      if (value == other) continue;
      if (!value || !other) {
        value = nullptr;
        continue;
      }
      llvm::PHINode* phi = NewPhi(value->getType());
      phi->addIncoming(value, from);
      phi->addIncoming(other, others_from);
      value = phi;
    }
  }
}

}  // namespace tilth
