// A recursive-descent parser, one function a level of precedence, and an evaluator of its tree.
#include "search_space/constraint.h"

#include <algorithm>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"

namespace tilth {
namespace {

constexpr int kMostNesting = 200;
constexpr size_t kMostNodes = 4096;  // a chain of operators is evaluated as deeply as it is long

std::optional<int64_t> FloorDivide(int64_t a, int64_t b) {
  if (b == 0 || (a == std::numeric_limits<int64_t>::min() && b == -1)) return std::nullopt;
  const int64_t quotient = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

std::string Excerpt(std::string_view text) {
  constexpr size_t kMost = 1000;
  return text.size() <= kMost ? std::string(text) : StrCat(text.substr(0, kMost), "…");
}

}  // namespace

class ConstraintParser {
 public:
  using Op = Constraint::Op;

  ConstraintParser(std::string_view text, const std::vector<std::string>& names) : text_(text), names_(names) {
    constraint_.text_ = std::string(text);
  }

  StatusOr<Constraint> Parse() {
    const int root = Or();
    SkipSpace();
    if (status_.ok() && at_ < text_.size()) Fail("expected an operator");
    if (!status_.ok()) return status_;
    // Evaluation starts from the last node.
    constraint_.nodes_.push_back(constraint_.nodes_[static_cast<size_t>(root)]);
    std::sort(constraint_.uses_.begin(), constraint_.uses_.end());
    constraint_.uses_.erase(std::unique(constraint_.uses_.begin(), constraint_.uses_.end()), constraint_.uses_.end());
    return std::move(constraint_);
  }

 private:
  int Fail(std::string_view what) {
    if (status_.ok()) {
      status_ =
          absl::InvalidArgumentError(StrCat("constraint \"", Excerpt(text_), "\", at character ", at_ + 1, ": ", what));
    }
    return Add({Op::kNumber});
  }

  int Add(Constraint::Node node) {
    if (constraint_.nodes_.size() >= kMostNodes && status_.ok()) return Fail("too long: split it at an 'and'");
    constraint_.nodes_.push_back(node);
    return static_cast<int>(constraint_.nodes_.size()) - 1;
  }

  void SkipSpace() {
    while (at_ < text_.size() && absl::ascii_isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
  }

  // Takes `token` if it comes next; a word must end where a name would.
  bool Take(std::string_view token) {
    SkipSpace();
    if (text_.substr(at_, token.size()) != token) return false;
    const size_t end = at_ + token.size();
    if (absl::ascii_isalpha(static_cast<unsigned char>(token[0])) && end < text_.size() && IsNameCharacter(text_[end]))
      return false;
    at_ = end;
    return true;
  }

  static bool IsNameCharacter(char c) { return c == '_' || absl::ascii_isalnum(static_cast<unsigned char>(c)); }

  int Or() {
    int left = And();
    while (status_.ok() && (Take("or") || Take("||"))) left = Add({Op::kOr, 0, left, And()});
    return left;
  }

  int And() {
    int left = Not();
    while (status_.ok() && (Take("and") || Take("&&"))) left = Add({Op::kAnd, 0, left, Not()});
    return left;
  }

  int Not() {
    SkipSpace();
    const bool negated = Take("not") || (text_.substr(at_, 2) != "!=" && Take("!"));
    if (!negated) return Comparison();
    if (++nesting_ > kMostNesting) return Fail("nested too deeply");
    const int operand = Not();
    --nesting_;
    return Add({Op::kNot, 0, operand});
  }

  std::optional<Op> TakeComparison() {
    constexpr std::pair<std::string_view, Op> kOperators[] = {{"==", Op::kEqual},     {"!=", Op::kNotEqual},
                                                              {"<=", Op::kLessEqual}, {">=", Op::kGreaterEqual},
                                                              {"<", Op::kLess},       {">", Op::kGreater}};
    for (const auto& [token, op] : kOperators)
      if (Take(token)) return op;
    return std::nullopt;
  }

  int Comparison() {
    int left = Sum(), chain = -1;
    while (status_.ok()) {
      const std::optional<Op> op = TakeComparison();
      if (!op) break;
      const int right = Sum();
      const int comparison = Add({*op, 0, left, right});
      chain = chain < 0 ? comparison : Add({Op::kAnd, 0, chain, comparison});
      left = right;
    }
    return chain < 0 ? left : chain;
  }

  int Sum() {
    int left = Product();
    while (status_.ok()) {
      if (Take("+")) {
        left = Add({Op::kAdd, 0, left, Product()});
      } else if (Take("-")) {
        left = Add({Op::kSubtract, 0, left, Product()});
      } else {
        break;
      }
    }
    return left;
  }

  int Product() {
    int left = Unary();
    while (status_.ok()) {
      if (Take("*")) {
        left = Add({Op::kMultiply, 0, left, Unary()});
      } else if (Take("//") || Take("/")) {
        left = Add({Op::kDivide, 0, left, Unary()});
      } else if (Take("%")) {
        left = Add({Op::kModulo, 0, left, Unary()});
      } else {
        break;
      }
    }
    return left;
  }

  int Unary() {
    if (++nesting_ > kMostNesting) return Fail("nested too deeply");
    const int node = Take("-") ? Add({Op::kNegate, 0, Unary()}) : Primary();
    --nesting_;
    return node;
  }

  int Primary() {
    if (Take("(")) {
      const int inner = Or();
      return Take(")") ? inner : Fail("expected ')'");
    }
    SkipSpace();
    size_t end = at_;
    while (end < text_.size() && IsNameCharacter(text_[end])) ++end;
    const std::string_view word = text_.substr(at_, end - at_);
    if (word.empty()) return Fail(at_ == text_.size() ? "it ends too early" : "expected a number or a parameter");
    if (absl::ascii_isdigit(static_cast<unsigned char>(word[0]))) {
      int64_t number;
      if (!absl::SimpleAtoi(std::string(word), &number)) return Fail(StrCat("'", word, "' is not an integer"));
      at_ = end;
      return Add({Op::kNumber, number});
    }
    const auto name = std::find(names_.begin(), names_.end(), word);
    if (name == names_.end()) return Fail(StrCat("there is no parameter '", word, "' with integer values"));
    at_ = end;
    constraint_.uses_.push_back(static_cast<int>(name - names_.begin()));
    return Add({Op::kName, name - names_.begin()});
  }

  std::string_view text_;
  const std::vector<std::string>& names_;
  Constraint constraint_;
  size_t at_ = 0;
  int nesting_ = 0;
  Status status_;
};

StatusOr<Constraint> Constraint::Parse(std::string_view text, const std::vector<std::string>& names) {
  return ConstraintParser(text, names).Parse();
}

bool Constraint::Holds(std::span<const int64_t> values) const {
  return Evaluate(static_cast<int>(nodes_.size()) - 1, values).value_or(0) != 0;
}

std::optional<int64_t> Constraint::Evaluate(int index, std::span<const int64_t> values) const {
  const Node& node = nodes_[static_cast<size_t>(index)];
  if (node.op == Op::kNumber) return node.number;
  if (node.op == Op::kName) return values[static_cast<size_t>(node.number)];
  const std::optional<int64_t> left = Evaluate(node.left, values);
  if (!left) return std::nullopt;
  if (node.op == Op::kNot) return *left == 0;
  if (node.op == Op::kAnd && *left == 0) return 0;
  if (node.op == Op::kOr && *left != 0) return 1;
  int64_t result = 0;
  if (node.op == Op::kNegate) {
    if (__builtin_sub_overflow(int64_t{0}, *left, &result)) return std::nullopt;
    return result;
  }
  const std::optional<int64_t> right = Evaluate(node.right, values);
  if (!right) return std::nullopt;
  switch (node.op) {
    case Op::kAdd:
      return __builtin_add_overflow(*left, *right, &result) ? std::nullopt : std::optional(result);
    case Op::kSubtract:
      return __builtin_sub_overflow(*left, *right, &result) ? std::nullopt : std::optional(result);
    case Op::kMultiply:
      return __builtin_mul_overflow(*left, *right, &result) ? std::nullopt : std::optional(result);
    case Op::kDivide:
      return FloorDivide(*left, *right);
    case Op::kModulo: {
      const std::optional<int64_t> quotient = FloorDivide(*left, *right);
      return quotient ? std::optional(*left - *quotient * *right) : std::nullopt;
    }
    case Op::kEqual:
      return *left == *right;
    case Op::kNotEqual:
      return *left != *right;
    case Op::kLess:
      return *left < *right;
    case Op::kLessEqual:
      return *left <= *right;
    case Op::kGreater:
      return *left > *right;
    case Op::kGreaterEqual:
      return *left >= *right;
    default:
      return *right != 0;  // kAnd, kOr
  }
}

}  // namespace tilth
