// Order statistics of samples. In a header, because the runner links nothing of base.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace tilth {

// The value at quantile q in [0, 1] of values in any order, interpolated; values must not be empty.
inline double Quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  const double position = q * static_cast<double>(values.size() - 1);
  const size_t below = static_cast<size_t>(position);
  const size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (values[above] - values[below]) * (position - static_cast<double>(below));
}

}  // namespace tilth
