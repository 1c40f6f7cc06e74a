// Addresses, and with them all integer arithmetic: a value is computed in the outermost scope where it can be, once,
// and what a loop adds to an address is a pointer that advances with it. Constants stay in the displacement of the
// instruction. So no pass has to find common terms, invariants or strength reductions.
#include <algorithm>

#include "absl/strings/str_format.h"
#include "compiler/codegen/function_emitter.h"

namespace tilth {
namespace {

// Displacements, in elements, that instructions can hold; farther ones get a pointer of their own. On AArch64 they are
// unsigned 12-bit multiples of the access size; and without one, a scalar is loaded into all lanes by an instruction
// that takes the time of a multiply-add, instead of being used from a lane.
struct Displacements {
  int64_t least, count;
};
Displacements DisplacementsOf(const Target& target) {
  return target.arch == Arch::kAArch64 ? Displacements{4, 4088} : Displacements{0, int64_t{1} << 28};
}

}  // namespace

bool FunctionEmitter::UsesVariable(const Expr& e, int var) {
  bool used = false;
  expr::Visit(e, [&](const ExprNode& node) { used |= node.op == ExprOp::kIndex && node.id == var; });
  return used;
}

// The innermost scope in which `e` varies; nothing if it reads memory, varies by lane or uses a variable outside its
// loop.
std::optional<int> FunctionEmitter::ScopeOf(const Expr& e) const {
  int scope = 0;
  bool known = true;
  expr::Visit(e, [&](const ExprNode& node) {
    if (node.op == ExprOp::kLoad) known = false;
    if (node.op != ExprOp::kIndex) return;
    const Variable& variable = variables_[node.id];
    if (vector_ && node.id == vector_->var) known = false;
    if (!variable.constant && !variable.value) known = false;
    scope = std::max(scope, variable.scope);
  });
  return known ? std::optional<int>(scope) : std::nullopt;
}

// Equal for expressions that have equal values here.
std::string FunctionEmitter::KeyOf(const Expr& e) const {
  std::string key;
  expr::Visit(e, [&](const ExprNode& node) {
    if (node.op == ExprOp::kConst) {
      absl::StrAppendFormat(&key, "%d,%a ", node.integer, node.number);
    } else if (node.op == ExprOp::kIndex) {
      const Variable& variable = variables_[node.id];
      if (variable.constant)
        absl::StrAppendFormat(&key, "%d,0x0p+0 ", *variable.constant);
      else
        absl::StrAppendFormat(&key, "i%d ", node.id);
    } else {
      absl::StrAppendFormat(&key, "%d:%d ", static_cast<int>(node.op), static_cast<int>(node.dtype));
    }
  });
  return key;
}

// The value that `make` emits, in `scope`, unless it has been emitted there.
StatusOr<llvm::Value*> FunctionEmitter::Known(int scope, const std::string& key,
                                              const std::function<StatusOr<llvm::Value*>()>& make) {
  if (const auto found = scopes_[scope].known.find(key); found != scopes_[scope].known.end()) return found->second;
  const llvm::IRBuilderBase::InsertPoint here = builder_.saveIP();
  if (scopes_[scope].exit) builder_.SetInsertPoint(scopes_[scope].exit);
  StatusOr<llvm::Value*> value = make();
  builder_.restoreIP(here);
  if (value.ok()) scopes_[scope].known[key] = *value;
  return value;
}

StatusOr<FunctionEmitter::Address> FunctionEmitter::SplitAddress(const Expr& index) {
  Address address;
  auto collect = [&](auto&& self, const Expr& e, int64_t scale) -> Status {
    switch (e->op) {
      case ExprOp::kConst:
        address.constant += scale * e->integer;
        return absl::OkStatus();
      case ExprOp::kIndex: {
        const Variable& variable = variables_[e->id];
        if (vector_ && e->id == vector_->var)
          address.lane_stride += scale;
        else if (variable.constant)
          address.constant += scale * *variable.constant;
        else
          address.parts[variable.scope].step += scale;
        return absl::OkStatus();
      }
      case ExprOp::kAdd:
      case ExprOp::kSub:
        TILTH_RETURN_IF_ERROR(self(self, e->args[0], scale));
        return self(self, e->args[1], e->op == ExprOp::kAdd ? scale : -scale);
      case ExprOp::kMul:
        for (int side : {0, 1})
          if (expr::IsConst(e->args[side])) return self(self, e->args[1 - side], scale * e->args[side]->integer);
        [[fallthrough]];
      default: {
        if (vector_ && UsesVariable(e, vector_->var)) {
          address.affine = false;
          return absl::OkStatus();
        }
        const std::optional<int> scope = ScopeOf(e);
        if (!scope) {
          address.loaded.emplace_back(e, scale);
          return absl::OkStatus();
        }
        TILTH_ASSIGN_OR_RETURN(const Lanes value, Eval(e));
        if (const auto* constant = llvm::dyn_cast<llvm::ConstantInt>(value.value))
          address.constant += scale * constant->getSExtValue();
        else
          address.parts[*scope].terms.emplace_back(e, scale);
        return absl::OkStatus();
      }
    }
  };
  TILTH_RETURN_IF_ERROR(collect(collect, index, 1));
  return address;
}

StatusOr<llvm::Value*> FunctionEmitter::Pointer(int buffer, const Address& address) {
  const int64_t bytes = SizeInBytes(program_.buffers[buffer].dtype);
  llvm::Type* byte = builder_.getInt8Ty();
  auto advanced = [&](llvm::Value* pointer, llvm::Value* value, int64_t factor) {
    return builder_.CreateGEP(byte, pointer, builder_.CreateNSWMul(value, builder_.getInt64(factor * bytes)));
  };
  const auto [least, count] = DisplacementsOf(target_);
  const int64_t position = (address.constant - least) % count;
  const int64_t near = least + (position < 0 ? position + count : position), far = address.constant - near;
  llvm::Value* pointer = bases_[buffer];
  if (far != 0) {
    TILTH_ASSIGN_OR_RETURN(pointer, Known(0, absl::StrFormat("%p%+d", pointer, far), [&]() -> StatusOr<llvm::Value*> {
                             return builder_.CreateConstGEP1_64(byte, pointer, far * bytes);
                           }));
  }
  for (const auto& [scope, part] : address.parts) {
    if (part.step != 0) {
      if (scopes_[scope].counter) {
        pointer = AdvancingPointer(scope, pointer, part.step * bytes);
      } else {
        const std::string key = absl::StrFormat("%p+task*%d", pointer, part.step);
        TILTH_ASSIGN_OR_RETURN(pointer, Known(scope, key, [&]() -> StatusOr<llvm::Value*> {
                                 return advanced(pointer, function_->getArg(1), part.step);
                               }));
      }
    }
    for (const auto& [term, factor] : part.terms) {
      const std::string key = absl::StrFormat("%p+%d*%s", pointer, factor, KeyOf(term));
      TILTH_ASSIGN_OR_RETURN(pointer, Known(scope, key, [&, &term = term, factor = factor]() -> StatusOr<llvm::Value*> {
                               TILTH_ASSIGN_OR_RETURN(const Lanes value, Eval(term));
                               return advanced(pointer, value.value, factor);
                             }));
    }
  }
  for (const auto& [term, factor] : address.loaded) {
    TILTH_ASSIGN_OR_RETURN(const Lanes value, Eval(term));
    pointer = advanced(pointer, value.value, factor);
  }
  return near == 0 ? pointer : builder_.CreateConstGEP1_64(byte, pointer, near * bytes);
}

// A pointer that is `start` in the first iteration of the loop and advances by `bytes` with each.
llvm::Value* FunctionEmitter::AdvancingPointer(int scope, llvm::Value* start, int64_t bytes) {
  llvm::Value*& known = scopes_[scope].known[absl::StrFormat("%p++%d", start, bytes)];
  if (known) return known;
  llvm::BasicBlock* head = scopes_[scope].counter->getParent();
  auto* pointer = llvm::PHINode::Create(builder_.getPtrTy(), 2, "", head->begin());
  pointer->addIncoming(start, scopes_[scope].before);
  scopes_[scope].pointers.emplace_back(pointer, bytes);
  return known = pointer;
}

StatusOr<int64_t> FunctionEmitter::ConstantIndex(const Expr& index, bool* along_vector) {
  TILTH_ASSIGN_OR_RETURN(Address address, SplitAddress(index));
  const bool varies = std::any_of(address.parts.begin(), address.parts.end(), [](const auto& entry) {
    return entry.second.step != 0 || !entry.second.terms.empty();
  });
  if (varies || !address.loaded.empty()) return absl::InvalidArgumentError("a register is indexed by a run-time value");
  if (!address.affine || address.lane_stride > 1) return absl::InvalidArgumentError("a register is read across lanes");
  *along_vector = address.lane_stride == 1;
  return address.constant;
}

}  // namespace tilth
