#include "base/statistics.h"

#include <gtest/gtest.h>

namespace tilth {
namespace {

TEST(Quantile, Interpolates) {
  EXPECT_EQ(Quantile({4, 1, 3, 2}, 0.5), 2.5);
  EXPECT_EQ(Quantile({7}, 0.9), 7);
  EXPECT_EQ(Quantile({1, 2}, 1.0), 2);
}

}  // namespace
}  // namespace tilth
