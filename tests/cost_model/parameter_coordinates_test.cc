#include "cost_model/parameter_coordinates.h"

#include <gtest/gtest.h>

#include "search_space/parameter_space.h"

namespace tilth {
namespace {

TEST(ParameterCoordinates, AreLogarithmsAndWhetherAValueIsAPowerOfTwo) {
  const auto space = ParameterSpace::FromJson(
      R"({"parameters": {"TILE": [1, 3, 4, 16], "FLAG": [0, 1], "MODE": ["x", "y", "z"], "ONE": [5]}})");
  ASSERT_TRUE(space.ok()) << space.status();
  const ParameterCoordinates coordinates(**space);
  std::vector<Candidate> candidates(4, (*space)->points().front());
  for (uint16_t i = 0; i < 4; ++i) candidates[i].rows = {i, static_cast<uint16_t>(i % 2), static_cast<uint16_t>(i % 3)};
  const PointSet points = coordinates.Of(candidates);
  ASSERT_EQ(points.dimensions(), 4u);  // TILE twice, FLAG, MODE
  ASSERT_EQ(coordinates.priors().size(), 4u);
  EXPECT_FLOAT_EQ(points.columns[0][0], 0);
  EXPECT_NEAR(points.columns[0][1], 0.396, 1e-3);
  EXPECT_FLOAT_EQ(points.columns[0][2], 0.5);
  EXPECT_FLOAT_EQ(points.columns[0][3], 1);
  EXPECT_EQ(points.columns[1], (std::vector<float>{0, 1, 0, 0}));
  EXPECT_EQ(points.columns[2], (std::vector<float>{0, 1, 0, 1}));
  // Positions 0, 1, 2 as 1, 2, 3.
  EXPECT_FLOAT_EQ(points.columns[3][2], 1);
  EXPECT_GT(points.columns[3][1], 0.5);
}

}  // namespace
}  // namespace tilth
