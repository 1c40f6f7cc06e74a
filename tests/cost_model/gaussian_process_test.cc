#include "cost_model/gaussian_process.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"

namespace tilth {
namespace {

PointSet RandomPoints(size_t count, size_t dimensions, Rng& rng) {
  PointSet points;
  for (size_t d = 0; d < dimensions; ++d) {
    std::vector<float>& column = points.columns.emplace_back();
    for (size_t i = 0; i < count; ++i) column.push_back(static_cast<float>(rng.Uniform()));
  }
  return points;
}

// Solves a x = b by elimination with pivots.
std::vector<double> Solve(std::vector<std::vector<double>> a, std::vector<double> b) {
  const size_t n = b.size();
  for (size_t k = 0; k < n; ++k) {
    size_t pivot = k;
    for (size_t i = k; i < n; ++i)
      if (std::abs(a[i][k]) > std::abs(a[pivot][k])) pivot = i;
    std::swap(a[k], a[pivot]);
    std::swap(b[k], b[pivot]);
    for (size_t i = k + 1; i < n; ++i) {
      const double factor = a[i][k] / a[k][k];
      for (size_t j = k; j < n; ++j) a[i][j] -= factor * a[k][j];
      b[i] -= factor * b[k];
    }
  }
  for (size_t k = n; k-- > 0;) {
    for (size_t j = k + 1; j < n; ++j) b[k] -= a[k][j] * b[j];
    b[k] /= a[k][k];
  }
  return b;
}

TEST(GaussianProcess, PosteriorIsThatOfTheTextbook) {
  Rng rng(1);
  const PointSet points = RandomPoints(12, 2, rng), pool = RandomPoints(30, 2, rng);
  std::vector<double> values;
  for (size_t i = 0; i < points.size(); ++i)
    values.push_back(std::sin(6 * points.columns[0][i]) + points.columns[1][i]);
  GaussianProcess process({{}, {}});
  process.Fit(points, values);
  PoolPosterior posterior(process, pool);
  for (size_t i = 0; i < points.size(); ++i) posterior.Observe(points, i);
  std::vector<float> mean, deviation;
  posterior.Predict(values, &mean, &deviation);

  // mean = k' K⁻¹ y, variance = s (1 - k' K⁻¹ k) with s = y' K⁻¹ y / n.
  const size_t n = points.size();
  std::vector<std::vector<double>> covariance(n, std::vector<double>(n));
  std::vector<float> row(n);
  for (size_t i = 0; i < n; ++i) {
    process.Kernel(points, i, points, row);
    for (size_t j = 0; j < n; ++j) covariance[i][j] = row[j];
    covariance[i][i] += process.noise() + 1e-6;
  }
  const std::vector<double> weights = Solve(covariance, values);
  double scale = 0;
  for (size_t i = 0; i < n; ++i) scale += weights[i] * values[i] / static_cast<double>(n);
  for (size_t p = 0; p < pool.size(); ++p) {
    std::vector<double> k(n);
    process.Kernel(pool, p, points, row);
    double expected = 0;
    for (size_t i = 0; i < n; ++i) {
      k[i] = row[i];
      expected += k[i] * weights[i];
    }
    const std::vector<double> solved = Solve(covariance, k);
    double explained = 0;
    for (size_t i = 0; i < n; ++i) explained += k[i] * solved[i];
    EXPECT_NEAR(mean[p], expected, 2e-3);
    EXPECT_NEAR(deviation[p], std::sqrt(scale * std::max(0.0, 1 - explained)), 2e-2);
  }
}

TEST(GaussianProcess, LearnsWhichCoordinatesMatter) {
  Rng rng(2);
  const PointSet points = RandomPoints(40, 3, rng);
  std::vector<double> values;
  for (size_t i = 0; i < points.size(); ++i) values.push_back(std::sin(8 * points.columns[1][i]));
  GaussianProcess process({{}, {}, {}});
  process.Fit(points, values);
  const PointSet origin{.columns = {{0.5f}, {0.5f}, {0.5f}}};
  std::vector<float> along(3);
  const PointSet steps{.columns = {{0.7f, 0.5f, 0.5f}, {0.5f, 0.7f, 0.5f}, {0.5f, 0.5f, 0.7f}}};
  process.Kernel(origin, 0, steps, along);
  EXPECT_LT(along[1], along[0] - 0.1);
  EXPECT_LT(along[1], along[2] - 0.1);
  EXPECT_LT(process.noise(), 0.05);
}

TEST(GaussianProcess, SeesNoiseWhereEqualPointsDiffer) {
  Rng rng(3);
  PointSet points = RandomPoints(30, 1, rng);
  for (size_t i = 0; i < 30; ++i) points.Append(points, i);
  std::vector<double> values;
  for (size_t i = 0; i < points.size(); ++i) values.push_back(rng.Uniform() - 0.5);
  GaussianProcess process({LengthPrior{}});
  process.Fit(points, values);
  EXPECT_GT(process.noise(), 0.05);  // the prior expects 0.007
}

}  // namespace
}  // namespace tilth
