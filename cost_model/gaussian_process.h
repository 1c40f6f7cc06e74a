// Gaussian process regression on a few hundred points: what a search believes about the points that it has not
// measured, and how sure it is. (Rasmussen & Williams, Gaussian Processes for Machine Learning, chapters 2 and 5.)
#pragma once

#include <span>
#include <vector>

namespace tilth {

// Points in the order of `columns`: columns[d][i] is coordinate d of point i, all columns of one length.
struct PointSet {
  std::vector<std::vector<float>> columns;

  size_t size() const { return columns.empty() ? 0 : columns.front().size(); }
  size_t dimensions() const { return columns.size(); }
  void Append(const PointSet& from, size_t point);
};

// What is known of a coordinate before any data.
struct LengthPrior {
  double mean = -0.7;  // of the natural logarithm of its length scale, for coordinates in [0, 1]
  double deviation = 0.8;
};

// Mean zero, a Matérn kernel (nu = 5/2) with a length scale for each coordinate, and noise. Not thread-safe.
class GaussianProcess {
 public:
  explicit GaussianProcess(std::vector<LengthPrior> priors);

  // Chooses length scales and noise that make `values` at `points` most probable, given the priors. Starts from the
  // last ones, and from the priors' at the first and every fourth call.
  void Fit(const PointSet& points, std::span<const double> values);

  double noise() const;  // variance relative to the kernel's at distance 0
  // Kernel between point `index` of `points` and every point of `pool`, relative to that at distance 0.
  void Kernel(const PointSet& points, size_t index, const PointSet& pool, std::span<float> out) const;

 private:
  std::vector<LengthPrior> priors_;
  std::vector<double> logs_;  // of the length scales, then of the noise
  int fits_ = 0;
};

// The posterior at every point of a pool, kept while observations at points of that pool come in. Adding observation n
// takes n operations a point. Not thread-safe.
class PoolPosterior {
 public:
  // `process` and `pool` outlive it; a new fit of the process needs a new posterior.
  PoolPosterior(const GaussianProcess& process, const PointSet& pool) : process_(process), pool_(pool) {}

  // The next observation is at point `index` of `points`.
  void Observe(const PointSet& points, size_t index);

  // Mean and standard deviation at each point, given the values of all observations.
  void Predict(std::span<const double> values, std::vector<float>* mean, std::vector<float>* deviation) const;

 private:
  const GaussianProcess& process_;
  const PointSet& pool_;
  PointSet observed_;
  std::vector<std::vector<double>> factor_;  // rows of the lower Cholesky factor of the observations' covariance
  std::vector<std::vector<float>> solved_;   // factor⁻¹ · covariance with the pool, a row an observation
};

}  // namespace tilth
