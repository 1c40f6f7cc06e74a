#include "ir/loop_program.h"

namespace tilth {

Stmt For(int var, LoopKind kind, Expr extent, StmtList body, int lanes) {
  Stmt stmt;
  stmt.op = Stmt::Op::kFor;
  stmt.var = var;
  stmt.kind = kind;
  stmt.lanes = lanes;
  stmt.extent = std::move(extent);
  stmt.body = std::move(body);
  return stmt;
}

Stmt If(Expr condition, StmtList body, StmtList else_body) {
  Stmt stmt;
  stmt.op = Stmt::Op::kIf;
  stmt.condition = std::move(condition);
  stmt.body = std::move(body);
  stmt.else_body = std::move(else_body);
  return stmt;
}

Stmt Store(int buffer, Expr index, Expr value) {
  Stmt stmt;
  stmt.op = Stmt::Op::kStore;
  stmt.buffer = buffer;
  stmt.index = std::move(index);
  stmt.value = std::move(value);
  return stmt;
}

int LoopProgram::NewVariable(std::string variable_name) {
  variables.push_back(std::move(variable_name));
  return static_cast<int>(variables.size()) - 1;
}

int LoopProgram::NewBuffer(LoopBuffer buffer) {
  buffers.push_back(std::move(buffer));
  return static_cast<int>(buffers.size()) - 1;
}

namespace {

std::string_view KindName(LoopKind kind) {
  switch (kind) {
    case LoopKind::kSerial:
      return "for";
    case LoopKind::kParallel:
      return "parallel";
    case LoopKind::kVector:
      return "vector";
    case LoopKind::kUnrolled:
      return "unrolled";
    case LoopKind::kGpuBlock:
      return "gpu.block";
    case LoopKind::kGpuThread:
      return "gpu.thread";
  }
  return "?";
}

std::string_view ScopeName(BufferScope scope) {
  switch (scope) {
    case BufferScope::kArgument:
      return "argument";
    case BufferScope::kPacked:
      return "packed";
    case BufferScope::kWorkspace:
      return "workspace";
    case BufferScope::kScratch:
      return "scratch";
    case BufferScope::kRegister:
      return "register";
  }
  return "?";
}

std::string_view Infix(ExprOp op) {
  switch (op) {
    case ExprOp::kAdd:
      return " + ";
    case ExprOp::kSub:
      return " - ";
    case ExprOp::kMul:
      return " * ";
    case ExprOp::kDiv:
      return " / ";
    case ExprOp::kFloorDiv:
      return " // ";
    case ExprOp::kMod:
      return " % ";
    case ExprOp::kLess:
      return " < ";
    case ExprOp::kLessEqual:
      return " <= ";
    case ExprOp::kEqual:
      return " == ";
    case ExprOp::kAnd:
      return " & ";
    case ExprOp::kOr:
      return " | ";
    default:
      return "";
  }
}

std::string_view FunctionName(ExprOp op) {
  switch (op) {
    case ExprOp::kMin:
      return "min";
    case ExprOp::kMax:
      return "max";
    case ExprOp::kNeg:
      return "-";
    case ExprOp::kAbs:
      return "abs";
    case ExprOp::kExp:
      return "exp";
    case ExprOp::kLog:
      return "log";
    case ExprOp::kSqrt:
      return "sqrt";
    case ExprOp::kTanh:
      return "tanh";
    case ExprOp::kErf:
      return "erf";
    case ExprOp::kSigmoid:
      return "sigmoid";
    case ExprOp::kFloor:
      return "floor";
    case ExprOp::kCeil:
      return "ceil";
    case ExprOp::kRound:
      return "round";
    case ExprOp::kPow:
      return "pow";
    case ExprOp::kNot:
      return "not";
    case ExprOp::kSelect:
      return "select";
    default:
      return "?";
  }
}

class Printer {
 public:
  explicit Printer(const LoopProgram& program) : program_(program) {}

  std::string Print() {
    for (const LoopBuffer& b : program_.buffers)
      absl::StrAppendFormat(&text_, "%s %s %s[%d]\n", std::string(ScopeName(b.scope)), b.name,
                            std::string(ToString(b.dtype)), b.num_elements);
    for (const LoopPhase& phase : program_.phases) {
      absl::StrAppendFormat(&text_, "%s %s: %d tasks\n", phase.prepare ? "prepare" : "run", phase.name,
                            phase.num_tasks);
      PrintList(phase.body, 1);
    }
    return std::move(text_);
  }

 private:
  std::string Text(const Expr& e) {
    switch (e->op) {
      case ExprOp::kConst:
        return IsFloat(e->dtype) ? absl::StrFormat("%.9g", e->number) : std::to_string(e->integer);
      case ExprOp::kIndex:
        return program_.variables[e->id];
      case ExprOp::kLoad:
        return program_.buffers[e->id].name + "[" + Text(e->args[0]) + "]";
      case ExprOp::kCast:
        return std::string(ToString(e->dtype)) + "(" + Text(e->args[0]) + ")";
      default:
        break;
    }
    if (const std::string_view infix = Infix(e->op); !infix.empty())
      return StrCat("(", Text(e->args[0]), infix, Text(e->args[1]), ")");
    std::string text = StrCat(FunctionName(e->op), "(");
    for (size_t i = 0; i < e->args.size(); ++i) text += StrCat(i ? ", " : "", Text(e->args[i]));
    return text + ")";
  }

  void PrintList(const StmtList& list, int depth) {
    const std::string indent(2 * depth, ' ');
    for (const Stmt& stmt : list) {
      if (stmt.op == Stmt::Op::kFor) {
        text_ += StrCat(indent, KindName(stmt.kind), " ", program_.variables[stmt.var], " < ", Text(stmt.extent), "\n");
        PrintList(stmt.body, depth + 1);
      } else if (stmt.op == Stmt::Op::kIf) {
        text_ += StrCat(indent, "if ", Text(stmt.condition), "\n");
        PrintList(stmt.body, depth + 1);
        if (stmt.else_body.empty()) continue;
        text_ += StrCat(indent, "else\n");
        PrintList(stmt.else_body, depth + 1);
      } else {
        text_ +=
            StrCat(indent, program_.buffers[stmt.buffer].name, "[", Text(stmt.index), "] = ", Text(stmt.value), "\n");
      }
    }
  }

  const LoopProgram& program_;
  std::string text_;
};

}  // namespace

std::string ToText(const LoopProgram& program) { return Printer(program).Print(); }

}  // namespace tilth
