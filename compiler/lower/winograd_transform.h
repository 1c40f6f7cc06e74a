// The linear maps of F(m, r) by the Toom-Cook construction: products of polynomials by evaluation at points 0, ±p, ±q …
// and infinity, transposed. Points in pairs of opposite sign share half of the arithmetic.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "ir/expr.h"

namespace tilth {

class WinogradTransform {
 public:
  // `inputs` = m + taps - 1 is 4 or 6.
  WinogradTransform(int64_t inputs, int64_t taps);

  int64_t inputs() const { return 2 + 2 * static_cast<int64_t>(points_.size()); }
  int64_t outputs() const { return inputs() - taps_ + 1; }
  int64_t taps() const { return taps_; }

  // Stores an intermediate value and returns how to read it again.
  using Keep = std::function<Expr(const Expr&)>;

  // One value per transformed position from `inputs` inputs, from `taps` weights; `outputs` results from the products.
  std::vector<Expr> Inputs(const std::vector<Expr>& x, const Keep& keep) const;
  std::vector<Expr> Weights(const std::vector<Expr>& w, const Keep& keep) const;
  std::vector<Expr> Outputs(const std::vector<Expr>& y, const Keep& keep) const;

 private:
  std::vector<double> points_;  // the positive ones of the pairs
  int64_t taps_;
};

}  // namespace tilth
