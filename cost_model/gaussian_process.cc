#include "cost_model/gaussian_process.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "cost_model/minimize.h"

namespace tilth {
namespace {

constexpr double kSqrt5 = 2.2360679774997896;
constexpr double kJitter = 1e-6;  // keeps equal points apart
constexpr LengthPrior kNoisePrior = {-5, 1.5};
constexpr double kFirstNoise = -4;
constexpr double kSmallestVariance = 1e-9;
constexpr int kSteps = 25;

// Matérn 5/2 of the squared distance.
double Matern(double squared) {
  const double r = kSqrt5 * std::sqrt(squared);
  return (1 + r + r * r / 3) * std::exp(-r);
}
// Its derivative.
double MaternSlope(double squared) {
  const double r = kSqrt5 * std::sqrt(squared);
  return -5.0 / 6 * (1 + r) * std::exp(-r);
}

// Lower triangular factor in place, row-major; false if the matrix is not positive definite.
bool Factorise(std::vector<double>* matrix, size_t n) {
  double* a = matrix->data();
  for (size_t j = 0; j < n; ++j) {
    double diagonal = a[j * n + j];
    for (size_t k = 0; k < j; ++k) diagonal -= a[j * n + k] * a[j * n + k];
    if (!(diagonal > 1e-12)) return false;
    a[j * n + j] = std::sqrt(diagonal);
    for (size_t i = j + 1; i < n; ++i) {
      double sum = a[i * n + j];
      for (size_t k = 0; k < j; ++k) sum -= a[i * n + k] * a[j * n + k];
      a[i * n + j] = sum / a[j * n + j];
    }
  }
  return true;
}

// The inverse of the matrix whose lower factor is given; row-major, both triangles.
std::vector<double> Inverse(const std::vector<double>& factor, size_t n) {
  std::vector<double> triangle(n * n, 0), inverse(n * n, 0);
  for (size_t j = 0; j < n; ++j) {
    triangle[j * n + j] = 1 / factor[j * n + j];
    for (size_t i = j + 1; i < n; ++i) {
      double sum = 0;
      for (size_t k = j; k < i; ++k) sum += factor[i * n + k] * triangle[k * n + j];
      triangle[i * n + j] = -sum / factor[i * n + i];
    }
  }
  for (size_t k = 0; k < n; ++k)
    for (size_t i = 0; i <= k; ++i)
      for (size_t j = 0; j <= i; ++j) inverse[i * n + j] += triangle[k * n + i] * triangle[k * n + j];
  for (size_t i = 0; i < n; ++i)
    for (size_t j = 0; j < i; ++j) inverse[j * n + i] = inverse[i * n + j];
  return inverse;
}

// Minus the logarithm of the values' probability, up to a constant, as a function of the logarithms; the variance of
// the kernel is the most probable one for them.
class Evidence {
 public:
  Evidence(const PointSet& points, std::span<const double> values, const std::vector<LengthPrior>& priors)
      : n_(points.size()), values_(values), priors_(priors) {
    for (const std::vector<float>& column : points.columns) {
      std::vector<double>& squares = squares_.emplace_back(n_ * n_);
      for (size_t i = 0; i < n_; ++i)
        for (size_t j = 0; j < n_; ++j) squares[i * n_ + j] = std::pow(double{column[i]} - double{column[j]}, 2);
    }
  }

  double operator()(const std::vector<double>& logs, std::vector<double>* gradient) const {
    const size_t dimensions = squares_.size();
    const double noise = std::exp(logs[dimensions]);
    std::vector<double> factor(n_ * n_), slope(n_ * n_);
    Covariance(logs, &factor, &slope);
    if (!Factorise(&factor, n_)) return std::numeric_limits<double>::infinity();
    const std::vector<double> inverse = Inverse(factor, n_);

    std::vector<double> weights(n_, 0);
    double fit = 0, value = 0;
    for (size_t i = 0; i < n_; ++i) {
      for (size_t j = 0; j < n_; ++j) weights[i] += inverse[i * n_ + j] * values_[j];
      fit += weights[i] * values_[i];
      value += std::log(factor[i * n_ + i]);
    }
    const double variance = std::max(fit / static_cast<double>(n_), 1e-12);
    value += 0.5 * static_cast<double>(n_) * std::log(variance);

    double noise_slope = 0;
    for (size_t i = 0; i < n_; ++i) {
      for (size_t j = 0; j < n_; ++j) {
        const double sensitivity = 0.5 * (inverse[i * n_ + j] - weights[i] * weights[j] / variance);
        if (i == j) noise_slope += sensitivity * noise;
        slope[i * n_ + j] *= sensitivity;
      }
    }
    for (size_t d = 0; d < dimensions; ++d) {
      double sum = 0;
      for (size_t k = 0; k < n_ * n_; ++k) sum += slope[k] * squares_[d][k];
      (*gradient)[d] = -2 * std::exp(-2 * logs[d]) * sum;
      value += Penalty(priors_[d], logs[d], &(*gradient)[d]);
    }
    (*gradient)[dimensions] = noise_slope;
    return value + Penalty(kNoisePrior, logs[dimensions], &(*gradient)[dimensions]);
  }

 private:
  static double Penalty(const LengthPrior& prior, double log, double* gradient) {
    const double z = (log - prior.mean) / prior.deviation;
    *gradient += z / prior.deviation;
    return 0.5 * z * z;
  }

  void Covariance(const std::vector<double>& logs, std::vector<double>* covariance, std::vector<double>* slope) const {
    std::vector<double> distance(n_ * n_, 0);
    for (size_t d = 0; d < squares_.size(); ++d) {
      const double weight = std::exp(-2 * logs[d]);
      for (size_t k = 0; k < n_ * n_; ++k) distance[k] += weight * squares_[d][k];
    }
    for (size_t i = 0; i < n_; ++i) {
      for (size_t j = 0; j <= i; ++j) {
        (*covariance)[i * n_ + j] = (*covariance)[j * n_ + i] = Matern(distance[i * n_ + j]);
        (*slope)[i * n_ + j] = (*slope)[j * n_ + i] = MaternSlope(distance[i * n_ + j]);
      }
      (*covariance)[i * n_ + i] += std::exp(logs.back()) + kJitter;
    }
  }

  size_t n_;
  std::span<const double> values_;
  const std::vector<LengthPrior>& priors_;
  std::vector<std::vector<double>> squares_;  // by coordinate: squared differences of the points
};

}  // namespace

void PointSet::Append(const PointSet& from, size_t point) {
  columns.resize(from.columns.size());
  for (size_t d = 0; d < columns.size(); ++d) columns[d].push_back(from.columns[d][point]);
}

GaussianProcess::GaussianProcess(std::vector<LengthPrior> priors) : priors_(std::move(priors)) {
  for (const LengthPrior& prior : priors_) logs_.push_back(prior.mean);
  logs_.push_back(kFirstNoise);
}

void GaussianProcess::Fit(const PointSet& points, std::span<const double> values) {
  std::vector<double> low(logs_.size(), -4), high(logs_.size(), 5);
  low.back() = -9;
  high.back() = 1;
  const Evidence evidence(points, values, priors_);
  Minimum best = Minimize(evidence, logs_, low, high, kSteps);
  if (fits_++ % 4 == 0) {
    std::vector<double> fresh;
    for (const LengthPrior& prior : priors_) fresh.push_back(prior.mean);
    fresh.push_back(kFirstNoise);
    Minimum other = Minimize(evidence, std::move(fresh), low, high, kSteps);
    if (other.value < best.value) best = std::move(other);
  }
  logs_ = std::move(best.x);
}

double GaussianProcess::noise() const { return std::exp(logs_.back()); }

void GaussianProcess::Kernel(const PointSet& points, size_t index, const PointSet& pool, std::span<float> out) const {
  std::fill(out.begin(), out.end(), 0.0f);
  for (size_t d = 0; d < pool.columns.size(); ++d) {
    const float* column = pool.columns[d].data();
    const float x = points.columns[d][index];
    const auto weight = static_cast<float>(std::exp(-2 * logs_[d]));
    for (size_t i = 0; i < out.size(); ++i) out[i] += weight * (column[i] - x) * (column[i] - x);
  }
  for (float& squared : out) {
    const float r = static_cast<float>(kSqrt5) * std::sqrt(squared);
    squared = (1 + r + r * r / 3) * std::exp(-r);
  }
}

void PoolPosterior::Observe(const PointSet& points, size_t index) {
  const size_t n = solved_.size();
  observed_.Append(points, index);
  std::vector<float> with_observed(n + 1);
  process_.Kernel(points, index, observed_, with_observed);

  std::vector<double> row(n + 1);
  double diagonal = 1 + process_.noise() + kJitter;
  for (size_t j = 0; j < n; ++j) {
    double sum = with_observed[j];
    for (size_t k = 0; k < j; ++k) sum -= row[k] * factor_[j][k];
    row[j] = sum / factor_[j][j];
    diagonal -= row[j] * row[j];
  }
  row[n] = std::sqrt(std::max(diagonal, kSmallestVariance));

  std::vector<float> solved(pool_.size());
  process_.Kernel(points, index, pool_, solved);
  for (size_t j = 0; j < n; ++j) {
    const auto weight = static_cast<float>(row[j]);
    const float* earlier = solved_[j].data();
    for (size_t i = 0; i < solved.size(); ++i) solved[i] -= weight * earlier[i];
  }
  const auto scale = static_cast<float>(1 / row[n]);
  for (float& value : solved) value *= scale;
  factor_.push_back(std::move(row));
  solved_.push_back(std::move(solved));
}

void PoolPosterior::Predict(std::span<const double> values, std::vector<float>* mean,
                            std::vector<float>* deviation) const {
  const size_t n = solved_.size();
  std::vector<double> weights(n);
  double variance = 0;
  for (size_t k = 0; k < n; ++k) {
    double sum = values[k];
    for (size_t j = 0; j < k; ++j) sum -= factor_[k][j] * weights[j];
    weights[k] = sum / factor_[k][k];
    variance += weights[k] * weights[k];
  }
  variance = n == 0 ? 1 : variance / static_cast<double>(n);

  mean->assign(pool_.size(), 0);
  deviation->assign(pool_.size(), 1);
  for (size_t k = 0; k < n; ++k) {
    const auto weight = static_cast<float>(weights[k]);
    const float* solved = solved_[k].data();
    for (size_t i = 0; i < pool_.size(); ++i) {
      (*mean)[i] += weight * solved[i];
      (*deviation)[i] -= solved[i] * solved[i];
    }
  }
  for (float& value : *deviation) value = static_cast<float>(std::sqrt(std::max(double{value}, 1e-7) * variance));
}

}  // namespace tilth
