#include "cost_model/minimize.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace tilth {
namespace {

constexpr double kFirstStep = 0.1;  // of the inverse Hessian before anything is known
constexpr double kLongestStep = 1;  // of a variable
constexpr double kSmallestGain = 1e-4;
constexpr double kSmallestSlope = 1e-5;
constexpr int kBacktracks = 8;

double Dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// An estimate of the inverse Hessian.
class Curvature {
 public:
  explicit Curvature(size_t size) : size_(size), h_(size * size, 0) {
    for (size_t i = 0; i < size; ++i) h_[i * size + i] = kFirstStep;
  }

  std::vector<double> Times(const std::vector<double>& v) const {
    std::vector<double> product(size_, 0);
    for (size_t i = 0; i < size_; ++i)
      for (size_t j = 0; j < size_; ++j) product[i] += h_[i * size_ + j] * v[j];
    return product;
  }

  // A step changed the gradient by `change`.
  void Learn(const std::vector<double>& step, const std::vector<double>& change) {
    const double slope = Dot(step, change);
    if (slope <= 1e-10) return;
    const std::vector<double> hy = Times(change);
    const double scale = (1 + Dot(change, hy) / slope) / slope;
    for (size_t i = 0; i < size_; ++i) {
      for (size_t j = 0; j < size_; ++j)
        h_[i * size_ + j] += scale * step[i] * step[j] - (hy[i] * step[j] + step[i] * hy[j]) / slope;
    }
  }

 private:
  size_t size_;
  std::vector<double> h_;
};

// Downhill, no variable by more than kLongestStep, none out of its bounds.
std::vector<double> Direction(const Curvature& curvature, const std::vector<double>& x,
                              const std::vector<double>& gradient, const std::vector<double>& low,
                              const std::vector<double>& high) {
  std::vector<double> open = gradient;
  const auto is_blocked = [&](size_t i, double direction) {
    return (x[i] <= low[i] && direction < 0) || (x[i] >= high[i] && direction > 0);
  };
  for (size_t i = 0; i < x.size(); ++i)
    if (is_blocked(i, -gradient[i])) open[i] = 0;
  std::vector<double> direction = curvature.Times(open);
  double longest = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    direction[i] = is_blocked(i, -direction[i]) ? 0 : -direction[i];
    longest = std::max(longest, std::abs(direction[i]));
  }
  if (longest > kLongestStep)
    for (double& d : direction) d *= kLongestStep / longest;
  return direction;
}

}  // namespace

Minimum Minimize(const SmoothFunction& function, std::vector<double> start, const std::vector<double>& low,
                 const std::vector<double>& high, int steps) {
  const size_t size = start.size();
  Curvature curvature(size);
  bool fresh = true;  // the curvature has not learnt anything
  std::vector<double> gradient(size), next_gradient(size);
  Minimum at{std::move(start), 0};
  at.value = function(at.x, &gradient);
  for (int step = 0; step < steps; ++step) {
    const std::vector<double> direction = Direction(curvature, at.x, gradient, low, high);
    const double slope = Dot(direction, gradient);
    Minimum next;
    bool found = false;
    double length = 1;
    for (int attempt = 0; attempt < kBacktracks && !found && slope < -kSmallestSlope; ++attempt, length *= 0.4) {
      next.x = at.x;
      for (size_t i = 0; i < size; ++i) next.x[i] = std::clamp(at.x[i] + length * direction[i], low[i], high[i]);
      next.value = function(next.x, &next_gradient);
      found = next.value <= at.value + 1e-4 * length * slope;
    }
    if (!found) {
      if (fresh) break;
      // What was learnt elsewhere misleads here.
      curvature = Curvature(size);
      fresh = true;
      continue;
    }

    std::vector<double> moved(size), change(size);
    for (size_t i = 0; i < size; ++i) {
      moved[i] = next.x[i] - at.x[i];
      change[i] = next_gradient[i] - gradient[i];
    }
    curvature.Learn(moved, change);
    fresh = false;
    const double gain = at.value - next.value;
    std::swap(at, next);
    std::swap(gradient, next_gradient);
    if (gain < kSmallestGain) break;
  }
  return at;
}

}  // namespace tilth
