// The parser of workloads' canonical text; workload_text.cc describes it.
#include <algorithm>
#include <charconv>

#include "absl/strings/ascii.h"
#include "base/strings.h"
#include "ir/workload.h"
#include "ir/workload_grammar.h"

namespace tilth {
namespace {

using namespace workload_grammar;

constexpr int kMaxDepth = 1000;  // of nested expressions, so that hostile text cannot exhaust the stack

template <typename T>
bool ParseNumber(std::string_view text, T* value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc() && end == text.data() + text.size();
}

// Cuts off and returns the text before the next `separator`, or all of it.
std::string_view NextPart(std::string_view* text, char separator) {
  const size_t end = std::min(text->find(separator), text->size());
  const std::string_view part = text->substr(0, end);
  text->remove_prefix(std::min(end + 1, text->size()));
  return part;
}

// Parses one stage or expression from text; `tensors` are those declared before.
class Parser {
 public:
  Parser(std::string_view text, const std::vector<Tensor>& tensors) : rest_(text), tensors_(tensors) {}

  StatusOr<Stage> ParseStage() {
    Stage stage;
    TILTH_ASSIGN_OR_RETURN(stage.output, ParseTensorName());
    // The output index speaks of axes that are declared after it: read the declaration first.
    const size_t declaration = rest_.find("] for");
    if (declaration == std::string_view::npos) return Error("'] for' followed by the axes");
    const std::string_view index_text = rest_;
    rest_.remove_prefix(declaration + 5);
    TILTH_RETURN_IF_ERROR(ParseAxes('i', &stage.axes));
    num_axes_ = static_cast<int>(stage.axes.size());
    const std::string_view after_axes = rest_;
    rest_ = index_text;
    TILTH_RETURN_IF_ERROR(Expect("["));
    TILTH_ASSIGN_OR_RETURN(stage.output_index, ParseList("]"));
    TILTH_RETURN_IF_ERROR(Expect("for"));
    rest_ = after_axes;
    TILTH_RETURN_IF_ERROR(Expect("="));
    for (int r = 1; r < 5; ++r) {
      if (!Accept(StrCat(kReductions[r], "["))) continue;
      stage.reduction = static_cast<Reduction>(r);
      TILTH_RETURN_IF_ERROR(ParseAxes('r', &stage.reduce_axes));
      TILTH_RETURN_IF_ERROR(Expect("]"));
      num_reduce_axes_ = static_cast<int>(stage.reduce_axes.size());
      break;
    }
    TILTH_ASSIGN_OR_RETURN(stage.value, ParseExpr(0));
    SkipSpace();
    if (!rest_.empty()) return Error("the end of the line");
    return stage;
  }

 private:
  void SkipSpace() {
    while (!rest_.empty() && rest_[0] == ' ') rest_.remove_prefix(1);
  }

  bool Accept(std::string_view token) {
    SkipSpace();
    if (rest_.substr(0, token.size()) != token) return false;
    rest_.remove_prefix(token.size());
    return true;
  }

  Status Error(std::string_view expected) const {
    return absl::InvalidArgumentError(StrCat("expected ", expected, " at '", rest_.substr(0, 40), "'"));
  }

  Status Expect(std::string_view token) { return Accept(token) ? absl::OkStatus() : Error(StrCat("'", token, "'")); }

  StatusOr<int64_t> ParseInteger() {
    int64_t value = 0;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (error != std::errc()) return Error("an integer");
    rest_.remove_prefix(end - rest_.data());
    return value;
  }

  StatusOr<int> ParseTensorName() {
    if (!Accept("t")) return Error("a tensor");
    TILTH_ASSIGN_OR_RETURN(const int64_t id, ParseInteger());
    if (id < 0 || id >= static_cast<int64_t>(tensors_.size())) {
      return absl::InvalidArgumentError(StrCat("tensor t", id, " is not declared"));
    }
    return static_cast<int>(id);
  }

  Status ParseAxes(char letter, std::vector<Axis>* axes) {
    while (Accept(std::string_view(&letter, 1))) {
      TILTH_ASSIGN_OR_RETURN(const int64_t number, ParseInteger());
      if (number != static_cast<int64_t>(axes->size())) return Error("axes numbered from 0");
      TILTH_RETURN_IF_ERROR(Expect(":"));
      TILTH_ASSIGN_OR_RETURN(const int64_t extent, ParseInteger());
      axes->push_back({StrCat(std::string(1, letter), number), extent});
    }
    return absl::OkStatus();
  }

  StatusOr<std::vector<Expr>> ParseList(std::string_view close, int depth = 0) {
    std::vector<Expr> list;
    if (Accept(close)) return list;
    do {
      TILTH_ASSIGN_OR_RETURN(Expr e, ParseExpr(depth + 1));
      list.push_back(std::move(e));
    } while (Accept(","));
    TILTH_RETURN_IF_ERROR(Expect(close));
    return list;
  }

  StatusOr<Expr> ParseIndex(int base, int count) {
    TILTH_ASSIGN_OR_RETURN(const int64_t number, ParseInteger());
    if (number < 0 || number >= count) return absl::InvalidArgumentError(StrCat("axis ", number, " is not declared"));
    return expr::Index(base + static_cast<int>(number));
  }

  StatusOr<Expr> ParseLiteral() {
    const size_t end = std::min(rest_.size(), rest_.find_first_not_of("-+.0123456789einfa"));
    const std::string_view token = rest_.substr(0, end);
    if (token.find_first_of(".ena") == std::string_view::npos) {
      TILTH_ASSIGN_OR_RETURN(const int64_t value, ParseInteger());
      return expr::Int(value);
    }
    double value = 0;
    if (!ParseNumber(token, &value)) return Error("a number");
    rest_.remove_prefix(end);
    return expr::Float(value);
  }

  StatusOr<Expr> ParseExpr(int depth) {
    if (depth > kMaxDepth) return absl::InvalidArgumentError("expressions are nested too deeply");
    SkipSpace();
    if (Accept("(")) return ParseInfix(depth);
    if (Accept("true")) return expr::Bool(true);
    if (Accept("false")) return expr::Bool(false);
    const char first = rest_.empty() ? '\0' : rest_[0];
    const char second = rest_.size() > 1 ? rest_[1] : '\0';
    if (first == '-' || absl::ascii_isdigit(first) || rest_.substr(0, 3) == "inf" || rest_.substr(0, 3) == "nan") {
      return ParseLiteral();
    }
    if (absl::ascii_isdigit(second)) {
      if (first == 't') return ParseLoad(depth);
      if (first == 'r') return rest_.remove_prefix(1), ParseIndex(num_axes_, num_reduce_axes_);
      // i8(…), i32(…) and i64(…) are casts.
      const size_t end = rest_.find_first_not_of("0123456789", 1);
      if (first == 'i' && (end == std::string_view::npos || rest_[end] != '(')) {
        return rest_.remove_prefix(1), ParseIndex(0, num_axes_);
      }
    }
    return ParseCall(depth);
  }

  StatusOr<Expr> ParseLoad(int depth) {
    TILTH_ASSIGN_OR_RETURN(const int tensor, ParseTensorName());
    TILTH_RETURN_IF_ERROR(Expect("["));
    TILTH_ASSIGN_OR_RETURN(std::vector<Expr> index, ParseList("]", depth));
    for (const Expr& e : index) {
      if (IsFloat(e->dtype) || e->dtype == DType::kBool) return Error("an integer index before this");
    }
    return expr::Load(tensor, tensors_[tensor].dtype, std::move(index));
  }

  StatusOr<Expr> ParseInfix(int depth) {
    TILTH_ASSIGN_OR_RETURN(Expr a, ParseExpr(depth + 1));
    SkipSpace();
    const size_t end = std::min(rest_.find(' '), rest_.size());
    const std::string_view name = rest_.substr(0, end);
    for (const OpName& entry : kInfix) {
      if (entry.name != name) continue;
      rest_.remove_prefix(end);
      TILTH_ASSIGN_OR_RETURN(Expr b, ParseExpr(depth + 1));
      TILTH_RETURN_IF_ERROR(Expect(")"));
      return Make(entry.op, {std::move(a), std::move(b)});
    }
    return Error("an operator");
  }

  StatusOr<Expr> ParseCall(int depth) {
    const size_t open = rest_.find('(');
    if (open == std::string_view::npos) return Error("an expression");
    const std::string_view name = rest_.substr(0, open);
    const std::string_view start = rest_;
    rest_.remove_prefix(open + 1);
    TILTH_ASSIGN_OR_RETURN(std::vector<Expr> args, ParseList(")", depth));
    if (const auto dtype = ParseDType(name); dtype && args.size() == 1)
      return MakeNode(ExprOp::kCast, *dtype, std::move(args));
    for (const OpName& entry : kFunctions) {
      if (entry.name == name) return Make(entry.op, std::move(args));
    }
    rest_ = start;
    return Error("a function");
  }

  // Nodes are made as they were printed, unfolded, so that the text survives the round trip.
  static Expr MakeNode(ExprOp op, DType dtype, std::vector<Expr> args) {
    auto node = std::make_shared<ExprNode>();
    node->op = op;
    node->dtype = dtype;
    node->args = std::move(args);
    return node;
  }

  StatusOr<Expr> Make(ExprOp op, std::vector<Expr> args) {
    const size_t arity = op == ExprOp::kSelect                                                ? 3
                         : (op >= ExprOp::kNeg && op <= ExprOp::kRound) || op == ExprOp::kNot ? 1
                                                                                              : 2;
    if (args.size() != arity) return Error(StrCat(arity, " arguments before this"));
    const auto domain = [](const Expr& e) {
      return IsFloat(e->dtype) ? DType::kF32 : e->dtype == DType::kBool ? DType::kBool : DType::kI64;
    };
    const DType first = domain(args[0]), last = domain(args.back());
    bool fits = true;
    DType result = last;
    if (op == ExprOp::kSelect) {
      fits = first == DType::kBool && domain(args[1]) == last;
    } else if (op == ExprOp::kAnd || op == ExprOp::kOr || op == ExprOp::kNot) {
      fits = first == DType::kBool && last == DType::kBool;
    } else if (op == ExprOp::kEqual || op == ExprOp::kLess || op == ExprOp::kLessEqual) {
      fits = first == last && (first != DType::kBool || op == ExprOp::kEqual);
      result = DType::kBool;
    } else {
      fits = first == last && first != DType::kBool;
      if (op == ExprOp::kFloorDiv || op == ExprOp::kMod) fits &= first == DType::kI64;
      if (op == ExprOp::kDiv || op == ExprOp::kPow || (op >= ExprOp::kExp && op <= ExprOp::kRound))
        fits &= first == DType::kF32;
    }
    if (!fits) return Error("operands of fitting types before this");
    return MakeNode(op, result, std::move(args));
  }

  std::string_view rest_;
  const std::vector<Tensor>& tensors_;
  int num_axes_ = 0, num_reduce_axes_ = 0;
};

StatusOr<Tensor> ParseTensor(std::string_view line, size_t number) {
  std::vector<std::string_view> words;
  for (std::string_view rest = line; !rest.empty();) words.push_back(NextPart(&rest, ' '));
  Tensor tensor;
  tensor.name = StrCat("t", number);
  const auto bad = [&] {
    return absl::InvalidArgumentError(StrCat("expected 't", number, " ROLE DTYPE[EXTENTS]', got '", line, "'"));
  };
  if (words.size() != 3 && words.size() != 5) return bad();
  const auto role = std::find(std::begin(kRoles), std::end(kRoles), words[1]);
  const size_t open = words[2].find('[');
  if (words[0] != tensor.name || role == std::end(kRoles) || open == std::string_view::npos || words[2].back() != ']')
    return bad();
  tensor.role = static_cast<TensorRole>(role - std::begin(kRoles));
  const auto dtype = ParseDType(words[2].substr(0, open));
  if (!dtype) return bad();
  tensor.dtype = *dtype;
  for (std::string_view rest = words[2].substr(open + 1, words[2].size() - open - 2); !rest.empty();) {
    int64_t extent = 0;
    if (!ParseNumber(NextPart(&rest, ','), &extent)) return bad();
    tensor.shape.push_back(extent);
  }
  if (words.size() == 5 && (words[3] != "below" || !ParseNumber(words[4], &tensor.value_bound))) return bad();
  return tensor;
}

}  // namespace

StatusOr<Workload> ParseWorkload(std::string_view text) {
  Workload workload;
  int line_number = 0;
  while (!text.empty() || line_number == 0) {
    const std::string_view line = NextPart(&text, '\n');
    ++line_number;
    if (line_number == 1) {
      if (line == kHeader) continue;
      return absl::InvalidArgumentError(
          StrCat("not a workload text: line 1 is '", line.substr(0, 40), "', expected '", kHeader, "'"));
    }
    if (line.empty()) continue;
    const std::string place = StrCat("workload text, line ", line_number);
    if (line.find("] for") == std::string_view::npos) {
      TILTH_ASSIGN_OR_RETURN(Tensor tensor, ParseTensor(line, workload.tensors.size()), place);
      workload.tensors.push_back(std::move(tensor));
    } else {
      TILTH_ASSIGN_OR_RETURN(Stage stage, Parser(line, workload.tensors).ParseStage(), place);
      workload.stages.push_back(std::move(stage));
    }
  }
  TILTH_RETURN_IF_ERROR(Validate(workload), "workload text");
  return workload;
}

}  // namespace tilth
