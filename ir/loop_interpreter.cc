// Interpret(LoopProgram): scalar, sequential, every access checked.
#include <cmath>

#include "ir/loop_program.h"

namespace tilth {
namespace {

class LoopInterpreter {
 public:
  LoopInterpreter(const LoopProgram& program, std::vector<TensorValue>* arguments)
      : program_(program), variables_(program.variables.size(), 0) {
    size_t next = 0;
    for (const LoopBuffer& buffer : program.buffers) {
      if (buffer.scope == BufferScope::kArgument) {
        storage_.push_back(&(*arguments)[next++]);
      } else {
        own_.push_back(std::make_unique<TensorValue>(ZeroValue(buffer.dtype, {buffer.num_elements})));
        storage_.push_back(own_.back().get());
      }
    }
  }

  Status Run() {
    for (const LoopPhase& phase : program_.phases) {
      for (int64_t task = 0; task < phase.num_tasks; ++task) {
        if (phase.task_var >= 0) variables_[phase.task_var] = task;
        RunList(phase.body);
        if (!status_.ok()) return Annotate(status_, StrCat("phase ", phase.name));
      }
    }
    return absl::OkStatus();
  }

 private:
  void RunList(const StmtList& list) {
    for (const Stmt& stmt : list) {
      if (!status_.ok()) return;
      if (stmt.op == Stmt::Op::kFor) {
        const int64_t extent = Integer(stmt.extent);
        if (stmt.kind == LoopKind::kVector && extent > stmt.lanes)
          status_ = absl::InvalidArgumentError("a vector loop longer than its lanes");
        for (int64_t i = 0; i < extent && status_.ok(); ++i) {
          variables_[stmt.var] = i;
          RunList(stmt.body);
        }
      } else if (stmt.op == Stmt::Op::kIf) {
        RunList(Integer(stmt.condition) ? stmt.body : stmt.else_body);
      } else {
        const int64_t index = Integer(stmt.index);
        const LoopBuffer& buffer = program_.buffers[stmt.buffer];
        if (!InBounds(stmt.buffer, index)) return;
        const double value = IsFloat(buffer.dtype) ? Number(stmt.value) : static_cast<double>(Integer(stmt.value));
        storage_[stmt.buffer]->Set(index, value);
      }
    }
  }

  bool InBounds(int buffer, int64_t index) {
    if (index >= 0 && index < program_.buffers[buffer].num_elements) return true;
    if (status_.ok())
      status_ = absl::OutOfRangeError(StrCat("element ", index, " of buffer ", program_.buffers[buffer].name, " (",
                                             program_.buffers[buffer].num_elements, " elements)"));
    return false;
  }

  // The value of an integer or boolean expression.
  int64_t Integer(const Expr& e) {
    if (!status_.ok()) return 0;
    auto a = [&] { return Integer(e->args[0]); };
    auto b = [&] { return Integer(e->args[1]); };
    const bool float_operands = !e->args.empty() && IsFloat(e->args.back()->dtype);
    switch (e->op) {
      case ExprOp::kConst:
        return e->integer;
      case ExprOp::kIndex:
        return variables_[e->id];
      case ExprOp::kLoad: {
        const int64_t index = Integer(e->args[0]);
        return InBounds(e->id, index) ? static_cast<int64_t>(storage_[e->id]->Get(index)) : 0;
      }
      case ExprOp::kAdd:
        return a() + b();
      case ExprOp::kSub:
        return a() - b();
      case ExprOp::kMul:
        return a() * b();
      case ExprOp::kFloorDiv: {
        const int64_t x = a(), y = b();
        return y == 0 ? 0 : x / y - ((x % y != 0) && ((x % y < 0) != (y < 0)));
      }
      case ExprOp::kMod: {
        const int64_t x = a(), y = b();
        if (y == 0) return 0;
        const int64_t r = x % y;
        return r != 0 && (r < 0) != (y < 0) ? r + y : r;
      }
      case ExprOp::kMin:
        return std::min(a(), b());
      case ExprOp::kMax:
        return std::max(a(), b());
      case ExprOp::kNeg:
        return -a();
      case ExprOp::kAbs:
        return std::abs(a());
      case ExprOp::kLess:
        return float_operands ? Number(e->args[0]) < Number(e->args[1]) : a() < b();
      case ExprOp::kLessEqual:
        return float_operands ? Number(e->args[0]) <= Number(e->args[1]) : a() <= b();
      case ExprOp::kEqual:
        return float_operands ? Number(e->args[0]) == Number(e->args[1]) : a() == b();
      case ExprOp::kAnd:
        return a() && b();
      case ExprOp::kOr:
        return a() || b();
      case ExprOp::kNot:
        return !a();
      case ExprOp::kSelect:
        return Integer(e->args[0]) ? Integer(e->args[1]) : Integer(e->args[2]);
      case ExprOp::kCast: {
        if (e->dtype == DType::kBool) return float_operands ? Number(e->args[0]) != 0 : a() != 0;
        TensorValue rounded = ZeroValue(e->dtype, {});
        rounded.Set(0, float_operands ? std::trunc(Number(e->args[0])) : static_cast<double>(a()));
        return static_cast<int64_t>(rounded.Get(0));
      }
      default:
        status_ = absl::InvalidArgumentError("a float operation on integers");
        return 0;
    }
  }

  double Number(const Expr& e) {
    if (!status_.ok()) return 0;
    auto a = [&] { return Number(e->args[0]); };
    auto b = [&] { return Number(e->args[1]); };
    switch (e->op) {
      case ExprOp::kConst:
        return e->number;
      case ExprOp::kLoad: {
        const int64_t index = Integer(e->args[0]);
        return InBounds(e->id, index) ? storage_[e->id]->Get(index) : 0;
      }
      case ExprOp::kAdd:
        return a() + b();
      case ExprOp::kSub:
        return a() - b();
      case ExprOp::kMul:
        return a() * b();
      case ExprOp::kDiv:
        return a() / b();
      case ExprOp::kMin: {
        const double x = a(), y = b();
        return x < y ? x : y;
      }
      case ExprOp::kMax: {
        const double x = a(), y = b();
        return x > y ? x : y;
      }
      case ExprOp::kNeg:
        return -a();
      case ExprOp::kAbs:
        return std::fabs(a());
      case ExprOp::kExp:
        return std::exp(a());
      case ExprOp::kLog:
        return std::log(a());
      case ExprOp::kSqrt:
        return std::sqrt(a());
      case ExprOp::kTanh:
        return std::tanh(a());
      case ExprOp::kErf:
        return std::erf(a());
      case ExprOp::kSigmoid:
        return 1 / (1 + std::exp(-a()));
      case ExprOp::kFloor:
        return std::floor(a());
      case ExprOp::kCeil:
        return std::ceil(a());
      case ExprOp::kRound:
        return std::nearbyint(a());
      case ExprOp::kPow:
        return std::pow(a(), b());
      case ExprOp::kSelect:
        return Integer(e->args[0]) ? Number(e->args[1]) : Number(e->args[2]);
      case ExprOp::kCast:
        return IsFloat(e->args[0]->dtype) ? a() : static_cast<double>(Integer(e->args[0]));
      default:
        status_ = absl::InvalidArgumentError("an integer operation on floats");
        return 0;
    }
  }

  const LoopProgram& program_;
  std::vector<std::unique_ptr<TensorValue>> own_;
  std::vector<TensorValue*> storage_;
  std::vector<int64_t> variables_;
  Status status_;
};

}  // namespace

Status Interpret(const LoopProgram& program, std::vector<TensorValue>* arguments) {
  size_t needed = 0;
  for (const LoopBuffer& buffer : program.buffers) {
    if (buffer.scope != BufferScope::kArgument) continue;
    if (needed >= arguments->size()) return absl::InvalidArgumentError("too few arguments");
    const TensorValue& value = (*arguments)[needed++];
    if (value.dtype != buffer.dtype || NumElements(value.shape) != buffer.num_elements)
      return absl::InvalidArgumentError(
          StrCat("argument ", needed - 1, " (", buffer.name, ") has the wrong type or size"));
  }
  return LoopInterpreter(program, arguments).Run();
}

}  // namespace tilth
