// Spearman's rank correlation, for tests of models that only have to order candidates.
#pragma once

#include <algorithm>
#include <numeric>
#include <vector>

namespace tilth {

template <typename T>
std::vector<double> Ranks(const std::vector<T>& values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (size_t i = 0; i < order.size(); ++i) ranks[order[i]] = static_cast<double>(i);
  return ranks;
}

// In [-1, 1]; both vectors have the same size of at least 2.
template <typename A, typename B>
double RankCorrelation(const std::vector<A>& a, const std::vector<B>& b) {
  const std::vector<double> ranks_a = Ranks(a), ranks_b = Ranks(b);
  const double mean = (static_cast<double>(a.size()) - 1) / 2;
  double covariance = 0, variance = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    covariance += (ranks_a[i] - mean) * (ranks_b[i] - mean);
    variance += (ranks_a[i] - mean) * (ranks_a[i] - mean);
  }
  return covariance / variance;
}

}  // namespace tilth
