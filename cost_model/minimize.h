// Minimises a smooth function of a few variables.
#pragma once

#include <functional>
#include <vector>

namespace tilth {

// The value at `x`; writes the gradient, which has the size of x. Infinity: not defined there.
using SmoothFunction = std::function<double(const std::vector<double>& x, std::vector<double>* gradient)>;

struct Minimum {
  std::vector<double> x;
  double value = 0;
};

// The BFGS method (Nocedal & Wright, Numerical Optimization, chapter 6) with backtracking, from `start`; every variable
// stays within [low, high]. Stops after `steps`, or when a step gains less than 1e-4.
Minimum Minimize(const SmoothFunction& function, std::vector<double> start, const std::vector<double>& low,
                 const std::vector<double>& high, int steps);

}  // namespace tilth
