#include "compiler/lower/winograd_transform.h"

#include <cmath>

#include "base/status.h"

namespace tilth {
namespace {

// Coefficients of the product over `points` but `skip` of (x² - p²), in powers of x².
std::vector<double> EvenPolynomial(const std::vector<double>& points, size_t skip) {
  std::vector<double> c = {1};
  for (size_t i = 0; i < points.size(); ++i) {
    if (i == skip) continue;
    std::vector<double> next(c.size() + 1, 0.0);
    for (size_t k = 0; k < c.size(); ++k) {
      next[k + 1] += c[k];
      next[k] -= points[i] * points[i] * c[k];
    }
    c = std::move(next);
  }
  return c;
}

Expr Scale(double factor, const Expr& x) { return factor == 1 ? x : expr::Mul(x, expr::Float(factor)); }

// sum of coefficients[k] * x[first + 2 k]; the last coefficient is 1 and comes first, so that every other term is a
// fused multiply-add.
Expr Combination(const std::vector<double>& coefficients, const std::vector<Expr>& x, size_t first) {
  const size_t last = coefficients.size() - 1;
  Expr sum = x[first + 2 * last];
  for (size_t k = 0; k < last; ++k) sum = expr::Add(sum, Scale(coefficients[k], x[first + 2 * k]));
  return sum;
}

Expr PlusMinus(const Expr& a, double factor, const Expr& b) {
  if (factor == 1) return expr::Add(a, b);
  if (factor == -1) return expr::Sub(a, b);
  return expr::Add(a, Scale(factor, b));
}

}  // namespace

WinogradTransform::WinogradTransform(int64_t inputs, int64_t taps) : taps_(taps) {
  TILTH_CHECK(inputs == 4 || inputs == 6);
  // Of the symmetric choices for six inputs these give the least error: half of that of 1 and 2 (docs/decisions/0006).
  points_ = inputs == 4 ? std::vector<double>{1} : std::vector<double>{0.625, 1.5};
}

std::vector<Expr> WinogradTransform::Inputs(const std::vector<Expr>& x, const Keep& keep) const {
  const size_t none = points_.size();
  const std::vector<double> all = EvenPolynomial(points_, none);
  std::vector<Expr> y;
  y.push_back(Combination(all, x, 0));
  for (size_t p = 0; p < points_.size(); ++p) {
    const std::vector<double> others = EvenPolynomial(points_, p);
    const Expr even = keep(Combination(others, x, 2)), odd = keep(Combination(others, x, 1));
    y.push_back(PlusMinus(even, points_[p], odd));
    y.push_back(PlusMinus(even, -points_[p], odd));
  }
  y.push_back(Combination(all, x, 1));
  return y;
}

std::vector<Expr> WinogradTransform::Weights(const std::vector<Expr>& w, const Keep& keep) const {
  auto sum = [&](int64_t first, double point, double divisor) {
    Expr value;
    for (int64_t k = first; k < taps_; k += 2) {
      const Expr term = expr::Mul(w[k], expr::Float(std::pow(point, static_cast<double>(k)) / divisor));
      value = value ? expr::Add(value, term) : term;
    }
    return keep(value);
  };
  double at_zero = 1;
  for (double point : points_) at_zero *= -point * point;
  std::vector<Expr> u = {expr::Mul(w[0], expr::Float(1 / at_zero))};
  for (size_t p = 0; p < points_.size(); ++p) {
    // The derivative of x · prod (x² - p²) at the point, the same at its opposite.
    double divisor = 2 * points_[p] * points_[p];
    for (size_t q = 0; q < points_.size(); ++q)
      if (q != p) divisor *= points_[p] * points_[p] - points_[q] * points_[q];
    const Expr even = sum(0, points_[p], divisor), odd = sum(1, points_[p], divisor);
    u.push_back(expr::Add(even, odd));
    u.push_back(expr::Sub(even, odd));
  }
  u.push_back(w[taps_ - 1]);
  return u;
}

std::vector<Expr> WinogradTransform::Outputs(const std::vector<Expr>& y, const Keep& keep) const {
  std::vector<Expr> sums, differences;
  for (size_t p = 0; p < points_.size(); ++p) {
    sums.push_back(keep(expr::Add(y[1 + 2 * p], y[2 + 2 * p])));
    differences.push_back(keep(expr::Sub(y[1 + 2 * p], y[2 + 2 * p])));
  }
  std::vector<Expr> z;
  for (int64_t i = 0; i < outputs(); ++i) {
    const std::vector<Expr>& terms = i % 2 == 0 ? sums : differences;
    Expr value;
    if (i == 0) value = y.front();
    if (i == outputs() - 1) value = value ? expr::Add(value, y.back()) : y.back();
    for (size_t p = 0; p < points_.size(); ++p) {
      const Expr term = Scale(std::pow(points_[p], static_cast<double>(i)), terms[p]);
      value = value ? expr::Add(value, term) : term;
    }
    z.push_back(value);
  }
  return z;
}

}  // namespace tilth
