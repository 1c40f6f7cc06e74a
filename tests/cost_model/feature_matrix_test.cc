#include "cost_model/feature_matrix.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tilth {
namespace {

FeatureMatrix CountingMatrix(int rows, int columns) {
  FeatureMatrix matrix;
  for (int row = 0; row < rows; ++row) {
    std::vector<float> values;
    for (int column = 0; column < columns; ++column) values.push_back(static_cast<float>(100 * row + column));
    matrix.Append(values);
  }
  return matrix;
}

TEST(FeatureMatrix, GivesBackTheRowsThatWereAppended) {
  const FeatureMatrix matrix = CountingMatrix(37, 3);
  EXPECT_EQ(matrix.rows(), 37);
  EXPECT_EQ(matrix.columns(), 3);
  EXPECT_THAT(matrix.row(0), testing::ElementsAre(0, 1, 2));
  EXPECT_THAT(matrix.row(36), testing::ElementsAre(3600, 3601, 3602));
  EXPECT_EQ(matrix.at(20, 1), 2001);
}

TEST(FeatureMatrix, BlocksHoldSixteenRowsFeatureByFeature) {
  const FeatureMatrix matrix = CountingMatrix(37, 3);
  EXPECT_EQ(matrix.num_blocks(), 3);
  EXPECT_EQ(matrix.block(1)[2 * FeatureMatrix::kBlockRows + 5], 2102);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(matrix.block(1)) % 64, 0u);
}

TEST(FeatureMatrix, RowMajorPutsRowsOneAfterTheOther) {
  EXPECT_THAT(CountingMatrix(2, 2).RowMajor(), testing::ElementsAre(0, 1, 100, 101));
}

TEST(FeatureMatrix, ResizeKeepsTheFirstRows) {
  FeatureMatrix matrix = CountingMatrix(3, 2);
  matrix.Resize(20);
  EXPECT_THAT(matrix.row(2), testing::ElementsAre(200, 201));
  EXPECT_EQ(matrix.rows(), 20);
}

}  // namespace
}  // namespace tilth
