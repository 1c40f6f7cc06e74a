#include "base/json_nesting.h"

#include <gtest/gtest.h>

#include <string>

namespace tilth {
namespace {

std::string Lists(size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

TEST(JsonNesting, RefusesWhatIsNestedTooDeeply) {
  EXPECT_TRUE(CheckJsonNesting(Lists(100)).ok());
  EXPECT_EQ(CheckJsonNesting(Lists(101)).code(), absl::StatusCode::kInvalidArgument);
}

TEST(JsonNesting, CountsNeitherNeighboursNorBracketsInTexts) {
  std::string neighbours = "[";
  for (int i = 0; i < 200; ++i) neighbours += "[{}],";
  EXPECT_TRUE(CheckJsonNesting(neighbours + "0]").ok());
  EXPECT_TRUE(CheckJsonNesting("[\"\\\"" + std::string(200, '[') + "\"]").ok());
}

TEST(JsonNesting, TakesAnyText) {
  EXPECT_TRUE(CheckJsonNesting("").ok());
  EXPECT_TRUE(CheckJsonNesting("]]\"\\").ok());
}

}  // namespace
}  // namespace tilth
