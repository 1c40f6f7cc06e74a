// The canonical text of workloads, version 1:
//
//     tilth workload 1
//     t0 input f32[1,56,56,64]
//     t1 constant f32[64,64,3,3]
//     t2 output f32[1,56,56,64]
//     t2[i0, i1, i2, i3] for i0:1 i1:56 i2:56 i3:64 = sum[r0:3 r1:3 r2:64] (… * t1[i3, r2, r0, r1])
//
// Binary operators are always in parentheses; the others are functions. Float constants have a '.', an exponent or are
// inf and nan, so that 1 is an integer and 1.0 a float. Index variables are numbered as in the stage: i0 … then r0 ….
#include <charconv>
#include <cmath>

#include "absl/strings/str_join.h"
#include "base/strings.h"
#include "ir/workload.h"
#include "ir/workload_grammar.h"

namespace tilth {
namespace {

using namespace workload_grammar;

std::string_view InfixName(ExprOp op) {
  for (const OpName& entry : kInfix) {
    if (entry.op == op) return entry.name;
  }
  return {};
}

std::string FloatText(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value).ptr;
  std::string text(buffer, end);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

class Printer {
 public:
  explicit Printer(const Stage& stage) : num_axes_(static_cast<int>(stage.axes.size())) {}

  void Print(const Expr& e, std::string* out) const {
    switch (e->op) {
      case ExprOp::kConst:
        if (IsFloat(e->dtype)) {
          *out += FloatText(e->number);
        } else if (e->dtype == DType::kBool) {
          *out += e->integer != 0 ? "true" : "false";
        } else {
          StrAppend(out, e->integer);
        }
        return;
      case ExprOp::kIndex:
        StrAppend(out, e->id < num_axes_ ? "i" : "r", e->id < num_axes_ ? e->id : e->id - num_axes_);
        return;
      case ExprOp::kLoad:
        StrAppend(out, "t", e->id, "[");
        PrintList(e->args, out);
        *out += "]";
        return;
      case ExprOp::kCast:
        StrAppend(out, ToString(e->dtype), "(");
        break;
      default:
        if (std::string_view infix = InfixName(e->op); !infix.empty()) {
          *out += "(";
          Print(e->args[0], out);
          StrAppend(out, " ", infix, " ");
          Print(e->args[1], out);
          *out += ")";
          return;
        }
        for (const OpName& entry : kFunctions) {
          if (entry.op == e->op) StrAppend(out, entry.name, "(");
        }
    }
    PrintList(e->args, out);
    *out += ")";
  }

  void PrintList(const std::vector<Expr>& list, std::string* out) const {
    for (size_t i = 0; i < list.size(); ++i) {
      if (i > 0) *out += ", ";
      Print(list[i], out);
    }
  }

 private:
  int num_axes_;
};

void PrintAxes(const std::vector<Axis>& axes, char letter, std::string* out) {
  for (size_t i = 0; i < axes.size(); ++i) {
    StrAppend(out, i > 0 ? " " : "", std::string(1, letter), i, ":", axes[i].extent);
  }
}

}  // namespace

std::string ToText(const Workload& workload) {
  std::string out = StrCat(kHeader, "\n");
  for (size_t t = 0; t < workload.tensors.size(); ++t) {
    const Tensor& tensor = workload.tensors[t];
    StrAppend(&out, "t", t, " ", kRoles[static_cast<int>(tensor.role)], " ", ToString(tensor.dtype), "[",
              absl::StrJoin(tensor.shape, ","), "]");
    if (tensor.value_bound > 0) StrAppend(&out, " below ", tensor.value_bound);
    out += "\n";
  }
  for (const Stage& stage : workload.stages) {
    const Printer printer(stage);
    StrAppend(&out, "t", stage.output, "[");
    printer.PrintList(stage.output_index, &out);
    out += "] for";
    if (!stage.axes.empty()) out += " ";
    PrintAxes(stage.axes, 'i', &out);
    out += " = ";
    if (stage.reduction != Reduction::kNone) {
      StrAppend(&out, kReductions[static_cast<int>(stage.reduction)], "[");
      PrintAxes(stage.reduce_axes, 'r', &out);
      out += "] ";
    }
    printer.Print(stage.value, &out);
    out += "\n";
  }
  return out;
}

}  // namespace tilth
