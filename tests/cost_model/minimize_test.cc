#include "cost_model/minimize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace tilth {
namespace {

// Rosenbrock's valley, not defined right of 4.
double Valley(const std::vector<double>& x, std::vector<double>* gradient) {
  if (x[0] > 4) return std::numeric_limits<double>::infinity();
  const double a = 1 - x[0], b = x[1] - x[0] * x[0];
  (*gradient)[0] = -2 * a - 400 * b * x[0];
  (*gradient)[1] = 200 * b;
  return a * a + 100 * b * b;
}

TEST(Minimize, FindsTheBottomOfACurvedValley) {
  const Minimum minimum = Minimize(Valley, {-0.9, 1.5}, {-5, -5}, {5, 5}, 500);
  EXPECT_LT(minimum.value, 0.01);
  EXPECT_NEAR(minimum.x[0], 1, 0.1);
}

TEST(Minimize, StaysWithinItsBounds) {
  const Minimum minimum = Minimize(Valley, {-0.5, 0.1}, {-0.8, -0.1}, {0.5, 0.2}, 500);
  EXPECT_GE(minimum.x[0], -0.8);
  EXPECT_LE(minimum.x[0], 0.5);
  EXPECT_LE(minimum.x[1], 0.2);
  EXPECT_LT(minimum.value, 0.5);
}

}  // namespace
}  // namespace tilth
