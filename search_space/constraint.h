// Constraint: an expression over named integers, as kernel authors write the limits of their parameters:
// "BLOCK_X * BLOCK_Y <= 1024 and TILE % VECTOR == 0".
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace tilth {

// Grammar, loosest first: `or` `||`; `and` `&&`; `not` `!`; == != < <= > >= (may be chained, as in 32 <= a*b <= 1024);
// + -; * / // %; unary -; numbers, names, parentheses. Division rounds down and % has the sign of its right side, as in
// Python. Truth is a value other than 0. Immutable, thread-safe.
class Constraint {
 public:
  // `names` are the integers that it may use; the values are given in the same order. INVALID_ARGUMENT names the
  // position of what is wrong, and an unknown name.
  static StatusOr<Constraint> Parse(std::string_view text, const std::vector<std::string>& names);

  const std::string& text() const { return text_; }
  // Indices into `names`, sorted, of those that occur.
  const std::vector<int>& uses() const { return uses_; }

  // Whether it holds for these values; one that divides by zero or leaves 64 bits does not.
  bool Holds(std::span<const int64_t> values) const;

 private:
  friend class ConstraintParser;
  enum class Op : uint8_t {
    kNumber,
    kName,
    kNegate,
    kNot,
    kAdd,
    kSubtract,
    kMultiply,
    kDivide,
    kModulo,
    kEqual,
    kNotEqual,
    kLess,
    kLessEqual,
    kGreater,
    kGreaterEqual,
    kAnd,
    kOr
  };
  struct Node {
    Op op;
    int64_t number = 0;         // kNumber: its value; kName: index of the name
    int left = -1, right = -1;  // indices of nodes
  };

  std::optional<int64_t> Evaluate(int node, std::span<const int64_t> values) const;

  std::string text_;
  std::vector<Node> nodes_;  // the last is the root
  std::vector<int> uses_;
};

}  // namespace tilth
